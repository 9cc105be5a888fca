//! `cargo xtask test`: runs every check of the project, stage by stage. A failed stage does not stop the run.
//!
//! Each stage is a child process of this program (`--only`). Its whole output goes into a file of the target
//! folder; the terminal shows one line per stage and the failures. The last line of the run counts the checks
//! that passed and failed: each test is a check, and so is each stage without tests.

mod stage;
mod stage_output;

use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace;
pub(crate) use stage::Stage;
use stage_output::StageOutput;

/// The time between two lines of progress of a stage.
const PROGRESS_EVERY: Duration = Duration::from_secs(60);

/// The time between two checks that a silent stage still runs.
const ALIVE_CHECK_EVERY: Duration = Duration::from_secs(1);

/// `cargo xtask test`.
#[derive(Args)]
pub(crate) struct TestOptions {
    /// Checks formatting, lints, the tidy rules and the tests that stand beside the code.
    #[arg(long)]
    quick: bool,
    /// Runs one stage and prints its whole output.
    #[arg(long, value_name = "STAGE", conflicts_with = "quick")]
    only: Option<Stage>,
}

/// A finished stage.
struct StageResult {
    stage: Stage,
    took: Duration,
    output: StageOutput,
}

/// Runs the stages. Returns false if one failed.
pub(crate) fn run(options: &TestOptions) -> Result<bool> {
    if let Some(stage) = options.only {
        return stage.run();
    }
    // The build of the tests may replace the file of this program, so its path is taken once.
    let program = std::env::current_exe()?;
    let mut ran = Vec::new();
    for stage in Stage::of_run(options.quick) {
        ran.push(run_stage(&program, stage)?);
    }
    Ok(summary(&ran))
}

fn run_stage(program: &Path, stage: Stage) -> Result<StageResult> {
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
    // The command holds the writing ends: the pipe would never end.
    drop(command);
    let lines = lines_of(reader);
    let mut output = StageOutput::default();
    let mut shown_at = Instant::now();
    loop {
        match lines.recv_timeout(ALIVE_CHECK_EVERY) {
            Ok(line) => {
                let line = line?;
                file.write_all(&line)?;
                file.write_all(b"\n")?;
                output.add(&String::from_utf8_lossy(&line));
            }
            Err(RecvTimeoutError::Disconnected) => break,
            // A process that the stage started may outlive it and hold the pipe.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if shown_at.elapsed() >= PROGRESS_EVERY {
            shown_at = Instant::now();
            println!("{:>7.1} min  {}", started.elapsed().as_secs_f64() / 60.0, output.described());
            print!("{stage:16}");
            std::io::stdout().flush()?;
        }
    }
    output.ended(child.wait()?.success());
    let ran = StageResult { stage, took: started.elapsed(), output };
    println!("{}", ran.verdict());
    if ran.output.has_failed() {
        println!("{}", ran.output.failure_lines());
        println!("whole output: {}", path.display());
    }
    Ok(ran)
}

/// Sends each line of a pipe as soon as it is complete.
fn lines_of(pipe: PipeReader) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            // The receiver is gone.
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl StageResult {
    fn verdict(&self) -> String {
        let verdict = if self.output.has_failed() { "FAILED" } else { "ok" };
        let minutes = self.took.as_secs_f64() / 60.0;
        format!("{minutes:>7.1} min  {verdict:6}  {}", self.output.described())
    }
}

fn summary(ran: &[StageResult]) -> bool {
    println!("\nstages");
    for ran in ran {
        println!("{:16}{}", ran.stage, ran.verdict());
    }
    let took: Duration = ran.iter().map(|ran| ran.took).sum();
    println!("{:16}{:>7.1} min", "together", took.as_secs_f64() / 60.0);
    for ran in ran.iter().filter(|ran| ran.output.has_failed()) {
        println!("\n{} failed\n{}", ran.stage, ran.output.failure_lines());
    }
    let passed: u64 = ran.iter().map(|ran| ran.output.passed).sum();
    let failed: u64 = ran.iter().map(|ran| ran.output.failed).sum();
    println!("\n{passed} passed, {failed} failed");
    failed == 0
}
