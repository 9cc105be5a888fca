//! Runs the commands of README.md as a newcomer does: in a fresh clone, block by block, in one shell.
//!
//! Two programs stand in for others, and everything else is as it is written. `cargo build` and `cargo run` are given the
//! program that the tests have built, after a look at the clone's manifests; `curl` fails on an answer that is no
//! success, which a reader sees and a script would not. The port is a free one, so that a shop on this machine is not
//! asked by mistake.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::shop::ShopClient;
use crate::workspace;

/// The section whose commands open the shop, the last of which runs until it is stopped.
const OPENS: &str = "## Open a shop";
/// The sections whose commands run beside it.
const RUN: [&str; 2] = ["## A first purchase", "## Accounts, guests and erasure"];
/// The address that the file names.
const ADDRESS: &str = "127.0.0.1:8080";
/// The time until the shop is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// The time that the commands beside the shop may take together.
const RUN_MAX: Duration = Duration::from_secs(120);
/// The time that the shop may take to stop: it cuts what is left after five seconds.
const STOP_MAX: Duration = Duration::from_secs(15);
/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Ends a script at the first command that fails, also inside a pipe, and shows each before it runs.
const STRICT: &str = "set -euxo pipefail\n";

/// `cargo` as the file uses it. The manifests of the clone are read by the true one.
const CARGO: &str = r#"#!/usr/bin/env bash
set -euo pipefail
"$README_CARGO" metadata --locked --offline --no-deps --format-version 1 > /dev/null
case "$*" in
    "build --release") ;;
    "run --release") echo $$ > "$README_PID"; exec "$README_PROGRAM" ;;
    "run --release --quiet -- "*) shift 4; exec "$README_PROGRAM" "$@" ;;
    *) echo "README.md has a command that its test does not know: cargo $*" >&2; exit 1 ;;
esac
"#;

/// `curl` that fails on an answer that is no success, after showing it.
const CURL: &str = "#!/usr/bin/env bash\nexec \"$README_CURL\" --fail-with-body \"$@\"\n";

/// Runs the file's commands with a built program; false when one failed.
pub(crate) fn runs(souk: &Path) -> Result<bool> {
    let scratch = tempfile::tempdir()?;
    let clone = scratch.path().join("souk");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--no-hardlinks"]).arg(workspace::root()).arg(&clone);
    ensure!(git.status().context("git can't be run")?.success(), "the checkout can't be cloned");
    // A change that is not committed yet is tested too.
    let text = fs::read_to_string(workspace::root().join("README.md"))?;
    let session = Session::new(scratch.path(), clone, souk)?;
    let mut shop = session.start(&blocks(&text, OPENS)?.concat())?;
    let beside = session.wait_until_ready(&mut shop).and_then(|()| {
        let mut script = String::new();
        for section in RUN {
            script += &blocks(&text, section)?.concat();
        }
        session.run(&script)
    });
    let stopped = session.stop(&mut shop);
    let is_well = beside?;
    stopped?;
    Ok(is_well)
}

/// The shell blocks of a section, in order.
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

/// The clone, programs and addresses that the commands run with.
struct Session {
    clone: PathBuf,
    programs: PathBuf,
    /// The file with the process id of the shop.
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
        bash.env("README_CURL", found("curl", &path)?).env("README_PROGRAM", &self.souk);
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

    /// Runs a script to its end; false when a command failed.
    fn run(&self, script: &str) -> Result<bool> {
        let mut child = self.start(script)?;
        let Some(is_well) = ends_within(&mut child, RUN_MAX)? else {
            child.kill()?;
            child.wait()?;
            bail!("the commands of README.md run on after {} s", RUN_MAX.as_secs());
        };
        if !is_well {
            println!("WRONG  the last command above failed: README.md promises something else");
        }
        Ok(is_well)
    }

    /// Stops the shop as an operator does, and holds it to a clean end.
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
                bail!("the shop runs on {} s after it was stopped", STOP_MAX.as_secs())
            }
        }
    }
}

/// True when a process succeeded, and false when it failed; none while it runs on.
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

/// The program that a shell finds by a name.
fn found(name: &str, path: &str) -> Result<PathBuf> {
    let candidates = std::env::split_paths(path).map(|folder| folder.join(name));
    candidates.into_iter().find(|file| file.is_file()).with_context(|| format!("{name} is not installed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_section_are_its_shell_blocks_alone() {
        let text =
            "## One\n```sh\na\nb\n```\n```\nno shell\n```\ntext\n```sh\nc\n```\n## Two\n```sh\nd\n```\n";
        assert_eq!(blocks(text, "## One").unwrap(), ["a\nb\n", "c\n"]);
        assert_eq!(blocks(text, "## Two").unwrap(), ["d\n"]);
        assert!(blocks(text, "## Three").is_err());
        assert!(blocks("## One\n```sh\na\n", "## One").is_err());
        assert!(blocks("## One\ntext\n", "## One").is_err());
    }
}
