//! `cargo xtask test`: everything that must hold, stage by stage, to the end whatever fails.
//!
//! Each stage is this program once more (`--only`), so that all a stage prints, and whatever it starts,
//! goes through one pipe: whole into a file of the target folder, and as one line a stage to who waits.
//! What failed is told at once and again below the stages with their minutes, and, alone on the
//! last line, how many checks passed and failed: tests as cargo counts them, any other stage as one.

mod printed;
mod stage;

use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace;
use printed::Printed;
pub(crate) use stage::Stage;

/// How often it is told how far a stage is.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whether a stage that prints nothing is still there.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// What is tested and how much of it is told.
#[derive(Args)]
pub(crate) struct TestOptions {
    /// Leaves out what comes after the tests: trials, mutants, schemathesis, generated clients, fuzzing.
    #[arg(long)]
    quick: bool,
    /// Runs one stage alone, with all it prints.
    #[arg(long, value_name = "STAGE", conflicts_with = "quick")]
    only: Option<Stage>,
}

/// A stage that ran.
struct Ran {
    stage: Stage,
    took: Duration,
    printed: Printed,
}

/// Runs the stages; false when one failed.
pub(crate) fn run(options: &TestOptions) -> Result<bool> {
    if let Some(stage) = options.only {
        return stage.run();
    }
    // Building the tests may put another file in this one's place: its path is asked for once.
    let program = std::env::current_exe()?;
    let mut ran = Vec::new();
    for stage in Stage::all().filter(|stage| !options.quick || stage.is_quick()) {
        ran.push(run_stage(&program, stage)?);
    }
    Ok(summary(&ran))
}

fn run_stage(program: &Path, stage: Stage) -> Result<Ran> {
    let folder = workspace::target_folder()?.join("test-run");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{stage}.txt"));
    let mut file =
        std::fs::File::create(&path).with_context(|| format!("{} can't be written", path.display()))?;
    print!("{stage:16}");
    std::io::stdout().flush()?;

    let started = Instant::now();
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(program);
    command.args(["test", "--only", &stage.to_string()]).stdin(Stdio::null());
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command holds the ends that are written to: the pipe would never end.
    drop(command);
    let (lines, mut printed, mut told) = (lines_of(reader), Printed::default(), Instant::now());
    loop {
        match lines.recv_timeout(LOOKED_EVERY) {
            Ok(line) => {
                let line = line?;
                file.write_all(&line)?;
                file.write_all(b"\n")?;
                printed.add(&String::from_utf8_lossy(&line));
            }
            Err(RecvTimeoutError::Disconnected) => break,
            // What it started may outlive it, and hold the pipe.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            println!("{:>7.1} min  {}", started.elapsed().as_secs_f64() / 60.0, printed.described());
            print!("{stage:16}");
            std::io::stdout().flush()?;
        }
    }
    printed.ended(child.wait()?.success());
    let ran = Ran { stage, took: started.elapsed(), printed };
    println!("{}", ran.verdict());
    if ran.printed.has_failed() {
        println!("{}", ran.printed.what_failed());
        println!("all of it: {}", path.display());
    }
    Ok(ran)
}

/// The lines that come out of a pipe, as they come.
fn lines_of(pipe: PipeReader) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            // Nobody waits any more.
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Ran {
    fn verdict(&self) -> String {
        let verdict = if self.printed.has_failed() { "FAILED" } else { "ok" };
        let minutes = self.took.as_secs_f64() / 60.0;
        format!("{minutes:>7.1} min  {verdict:6}  {}", self.printed.described())
    }
}

fn summary(ran: &[Ran]) -> bool {
    println!("\nwhat ran");
    for ran in ran {
        println!("{:16}{}", ran.stage, ran.verdict());
    }
    let took: Duration = ran.iter().map(|ran| ran.took).sum();
    println!("{:16}{:>7.1} min", "together", took.as_secs_f64() / 60.0);
    for ran in ran.iter().filter(|ran| ran.printed.has_failed()) {
        println!("\n{} failed\n{}", ran.stage, ran.printed.what_failed());
    }
    let passed: u64 = ran.iter().map(|ran| ran.printed.passed).sum();
    let failed: u64 = ran.iter().map(|ran| ran.printed.failed).sum();
    println!("\n{passed} passed, {failed} failed");
    failed == 0
}
