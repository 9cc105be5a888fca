//! Runs the commands of README.md as a newcomer would: in a fresh clone, block by block, in one shell.
//!
//! Only two programs are replaced. `cargo build` and `cargo run` use the program that the tests have already
//! built, after a check of the manifests in the clone. `curl` fails if a response is not a success; a reader
//! would notice this, a script would not. The port is a free one, so that the commands do not reach another
//! shop on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::shop::ShopClient;
use crate::workspace;

/// Section whose commands open the shop. Its last command runs until it is stopped.
const OPENS: &str = "## Open a shop";
/// Sections whose commands run while the shop is open.
const RUN: [&str; 2] = ["## A first purchase", "## Accounts, guests and erasure"];
/// Address of the shop in README.md.
const ADDRESS: &str = "127.0.0.1:8080";
/// Longest time until the shop is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// Longest time that all commands of the sections [`RUN`] may take together.
const RUN_MAX: Duration = Duration::from_secs(120);
/// Longest time that the shop may take to stop. It aborts its open requests after five seconds.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Time between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// First line of each script: print each command, and stop at the first failure, also inside a pipe.
const STRICT: &str = "set -euxo pipefail\n";

/// Replacement of `cargo`. The real cargo reads the manifests of the clone.
const CARGO: &str = r#"#!/usr/bin/env bash
set -euo pipefail
"$README_CARGO" metadata --locked --offline --no-deps --format-version 1 > /dev/null
case "$*" in
    "build --release") ;;
    "run --release") echo $$ > "$README_PID"; exec "$README_PROGRAM" ;;
    "run --release --quiet -- "*) shift 4; exec "$README_PROGRAM" "$@" ;;
    *) echo "README.md has a command that this test does not know: cargo $*" >&2; exit 1 ;;
esac
"#;

/// Replacement of `curl` that shows a response and then fails unless it is a success.
const CURL: &str = "#!/usr/bin/env bash\nexec \"$README_CURL\" --fail-with-body \"$@\"\n";

/// Runs the commands of README.md with a built program. Returns false if one failed.
pub(crate) fn run_commands(souk: &Path) -> Result<bool> {
    let scratch = tempfile::tempdir()?;
    let clone = scratch.path().join("souk");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--no-hardlinks"]).arg(workspace::root()).arg(&clone);
    ensure!(git.status().context("git can't be run")?.success(), "the checkout can't be cloned");
    // Reads the file of the checkout, so that uncommitted changes are tested too.
    let text = fs::read_to_string(workspace::root().join("README.md"))?;
    let session = Session::new(scratch.path(), clone, souk)?;
    let mut shop = session.start(&blocks(&text, OPENS)?.concat())?;
    let outcome = session.wait_until_ready(&mut shop).and_then(|()| {
        let mut script = String::new();
        for section in RUN {
            script += &blocks(&text, section)?.concat();
        }
        session.run(&script)
    });
    let stopped = session.stop(&mut shop);
    let has_passed = outcome?;
    stopped?;
    Ok(has_passed)
}

/// Returns the shell blocks of a section, in order.
fn blocks(text: &str, section: &str) -> Result<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| *line != section);
    ensure!(lines.next().is_some(), "README.md has no section `{section}`, whose commands are tested");
    let mut blocks = Vec::new();
    let mut is_inside = false;
    let mut block = String::new();
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        match (is_inside, line) {
            (false, "```sh") => is_inside = true,
            (true, "```") => {
                is_inside = false;
                blocks.push(std::mem::take(&mut block));
            }
            (true, line) => {
                block += line;
                block.push('\n');
            }
            (false, _) => {}
        }
    }
    ensure!(!blocks.is_empty() && !is_inside, "README.md has no whole shell block in `{section}`");
    Ok(blocks)
}

/// Clone, programs and address for the commands.
struct Session {
    clone: PathBuf,
    programs: PathBuf,
    /// File with the process id of the shop.
    pid: PathBuf,
    souk: PathBuf,
    address: String,
}

impl Session {
    fn new(scratch: &Path, clone: PathBuf, souk: &Path) -> Result<Self> {
        let programs = scratch.join("programs");
        fs::create_dir(&programs)?;
        for (name, script) in [("cargo", CARGO), ("curl", CURL)] {
            let path = programs.join(name);
            fs::write(&path, script)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        let address = format!("127.0.0.1:{}", souk_servers::free_port()?);
        Ok(Self { clone, programs, pid: scratch.join("pid"), souk: souk.to_owned(), address })
    }

    fn start(&self, script: &str) -> Result<Child> {
        let path = std::env::var("PATH").unwrap_or_default();
        let script = format!("{STRICT}{}", script.replace(ADDRESS, &self.address));
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(&self.clone).stdin(Stdio::null());
        bash.env("PATH", format!("{}:{path}", self.programs.display()));
        bash.env("README_CARGO", std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        bash.env("README_CURL", find_program("curl", &path)?).env("README_PROGRAM", &self.souk);
        bash.env("README_PID", &self.pid).env("SOUK_LISTEN", &self.address);
        bash.spawn().context("bash can't be run")
    }

    fn wait_until_ready(&self, shop: &mut Child) -> Result<()> {
        let probe = ShopClient::new(&format!("http://{}", self.address), String::new())?;
        let runtime = tokio::runtime::Runtime::new()?;
        let started = Instant::now();
        while !runtime.block_on(probe.is_ready()) {
            if let Some(status) = shop.try_wait()? {
                bail!("the commands of `{OPENS}` ended with {status}");
            }
            ensure!(started.elapsed() < READY_MAX, "the shop is not ready after {} s", READY_MAX.as_secs());
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Runs a script to its end. Returns false if a command failed.
    fn run(&self, script: &str) -> Result<bool> {
        let mut child = self.start(script)?;
        let Some(has_passed) = ends_within(&mut child, RUN_MAX)? else {
            child.kill()?;
            child.wait()?;
            bail!("the commands of README.md still run after {} s", RUN_MAX.as_secs());
        };
        if !has_passed {
            println!("WRONG  the last command above failed, so README.md is not correct");
        }
        Ok(has_passed)
    }

    /// Stops the shop as an operator does, and checks that it exits without an error.
    fn stop(&self, shop: &mut Child) -> Result<()> {
        let pid = fs::read_to_string(&self.pid).ok().and_then(|text| text.trim().parse().ok());
        let pid = pid.and_then(Pid::from_raw).context("`cargo run --release` started no shop")?;
        if shop.try_wait()?.is_none() {
            kill_process(pid, Signal::TERM).context("the shop can't be stopped")?;
        }
        match ends_within(shop, STOP_MAX)? {
            Some(true) => Ok(()),
            Some(false) => bail!("the shop ended with an error"),
            None => {
                kill_process(pid, Signal::KILL)?;
                shop.wait()?;
                bail!("the shop still runs {} s after SIGTERM", STOP_MAX.as_secs())
            }
        }
    }
}

/// Returns true if a process succeeds within a time, false if it fails, and none if it still runs.
fn ends_within(child: &mut Child, time: Duration) -> Result<Option<bool>> {
    let started = Instant::now();
    while started.elapsed() < time {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(None)
}

/// Path of the program that a shell finds by a name.
fn find_program(name: &str, path: &str) -> Result<PathBuf> {
    let candidates = std::env::split_paths(path).map(|folder| folder.join(name));
    candidates.into_iter().find(|file| file.is_file()).with_context(|| format!("{name} is not installed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shell_blocks_of_a_section_are_read() {
        let text =
            "## One\n```sh\na\nb\n```\n```\nno shell\n```\ntext\n```sh\nc\n```\n## Two\n```sh\nd\n```\n";
        assert_eq!(blocks(text, "## One").unwrap(), ["a\nb\n", "c\n"]);
        assert_eq!(blocks(text, "## Two").unwrap(), ["d\n"]);
        assert!(blocks(text, "## Three").is_err());
        assert!(blocks("## One\n```sh\na\n", "## One").is_err());
        assert!(blocks("## One\ntext\n", "## One").is_err());
    }
}
