//! What commands print: lines for people, or JSON lines.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

/// Prints a line for people. When nobody reads on, as behind `head`, there is nothing left to do.
pub fn line(text: impl std::fmt::Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        let nobody_reads = error.kind() == ErrorKind::BrokenPipe;
        std::process::exit(i32::from(!nobody_reads));
    }
}

/// Prints a line for people, unless JSON lines are wanted.
pub fn line_for_people(json: bool, text: impl std::fmt::Display) {
    if !json {
        line(text);
    }
}

/// Prints a JSON line.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// All bars, so that a log line is written beside them and never into one.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A progress bar with count, rate and time left; it draws only where somebody looks.
pub fn progress(total: u64, unit: &str) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() {
        BARS.add(ProgressBar::new(total))
    } else {
        ProgressBar::hidden()
    };
    let template = format!("{{bar:32}} {{human_pos}}/{{human_len}} {unit} {{per_sec}} {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_length(total);
    bar
}

/// Standard error for log lines: a bar steps aside for each.
#[derive(Clone, Copy, Debug)]
pub struct LogLines;

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        BARS.suspend(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
