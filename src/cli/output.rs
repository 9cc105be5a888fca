//! What commands print: lines for people, or JSON lines.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Prints a line for people.
#[expect(clippy::print_stdout, reason = "this is what a command is asked to print")]
pub fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Prints a JSON line.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// A progress bar with count, rate and time left; it draws only where somebody looks.
pub fn progress(total: u64, unit: &str) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(total) } else { ProgressBar::hidden() };
    let template = format!("{{bar:32}} {{human_pos}}/{{human_len}} {unit} {{per_sec}} {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_length(total);
    bar
}
