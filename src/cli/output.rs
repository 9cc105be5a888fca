//! What commands print: lines for people, or JSON lines.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use souk_domain::text::{is_hidden, shown};

/// Prints lines for people. Whatever stands in them, the terminal obeys none of it: only line breaks are printed as
/// they are. When nobody reads on, as behind `head`, there is nothing left to do.
pub fn line(text: impl std::fmt::Display) {
    print(&harmless(&text.to_string()));
}

/// Prints lines of the program's own, as they are: with tabs, which [`line`] would escape.
pub fn own_lines(text: &str) {
    print(text.trim_end());
}

/// Prints lines for people to standard error, made harmless like those of [`line`].
pub fn warn(text: impl std::fmt::Display) {
    // Standard error that can't be written to can't be told of it either.
    let _ = writeln!(std::io::stderr(), "{}", harmless(&text.to_string()));
}

fn print(text: &str) {
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

/// Prints a JSON line. Characters that a terminal obeys are escaped as JSON escapes them.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&escaped(&serde_json::to_string(value)?));
    Ok(())
}

/// A text with its line breaks and nothing else that a terminal obeys.
fn harmless(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// JSON without control characters, which stand in texts alone.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || is_hidden(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string never fails.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;title\u{7}\u{9b}2J\r\u{202e}b";

    #[test]
    fn nothing_that_is_printed_moves_the_cursor() {
        let printed = harmless(&format!("line 1: {HOSTILE}\nline 2"));
        assert_eq!(printed, "line 1: a\\u{1b}]0;title\\u{7}\\u{9b}2J\\u{d}\\u{202e}b\nline 2");
    }

    #[test]
    fn json_lines_say_the_same_without_control_characters() {
        let value = serde_json::json!({ "name": format!("{HOSTILE}\u{e0041}") });
        let printed = escaped(&value.to_string());
        assert!(!printed.chars().any(|c| c.is_control() || is_hidden(c)), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn commands_print_by_this_module_alone() {
        let manifest = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        let mut folders = vec![std::path::Path::new(&manifest).join("src/cli")];
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name != "output.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(!text.contains("println!") && !text.contains("dbg!"), "{}", path.display());
                    read += 1;
                }
            }
        }
        assert!(read > 20, "{read}");
    }
}
