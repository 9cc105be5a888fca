//! Output of commands: text lines for people, or JSON lines.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use souk_domain::text::{escaped_for_terminal, is_hidden};

/// Prints text lines. Control characters except line breaks are escaped, so the text can't control the
/// terminal. If the reader has closed the pipe, as `head` does, the program exits with status 0.
pub fn line(text: impl std::fmt::Display) {
    print(&harmless(&text.to_string()));
}

/// Prints fixed text of the program without escaping. It may contain tabs, which [`line`] would escape.
pub fn fixed_text(text: &str) {
    print(text.trim_end());
}

/// Prints text lines to standard error, escaped like those of [`line`].
pub fn warn(text: impl std::fmt::Display) {
    // If standard error can't be written to, there is nowhere to report that.
    let _ = writeln!(std::io::stderr(), "{}", harmless(&text.to_string()));
}

fn print(text: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        let is_closed_pipe = error.kind() == ErrorKind::BrokenPipe;
        std::process::exit(i32::from(!is_closed_pipe));
    }
}

/// Prints a text line, unless the output is JSON.
pub fn line_unless_json(json: bool, text: impl std::fmt::Display) {
    if !json {
        line(text);
    }
}

/// Prints a JSON line. Control characters are escaped as `\uXXXX`.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&escaped(&serde_json::to_string(value)?));
    Ok(())
}

/// Returns the text with all control characters escaped except line breaks.
fn harmless(text: &str) -> String {
    text.split('\n').map(escaped_for_terminal).collect::<Vec<_>>().join("\n")
}

/// Returns the JSON with control characters escaped. In compact JSON they occur only inside strings.
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

/// All progress bars. They are hidden while a log line is written, so that a line never lands inside a bar.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Creates a progress bar with count, rate and remaining time. It is drawn only if standard error is a
/// terminal.
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

/// Writer of log lines to standard error. Progress bars are hidden during each write.
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
    fn printed_text_contains_no_control_characters() {
        let printed = harmless(&format!("line 1: {HOSTILE}\nline 2"));
        assert_eq!(printed, "line 1: a\\u{1b}]0;title\\u{7}\\u{9b}2J\\u{d}\\u{202e}b\nline 2");
    }

    #[test]
    fn json_lines_keep_their_value_but_contain_no_control_characters() {
        let value = serde_json::json!({ "name": format!("{HOSTILE}\u{e0041}") });
        let printed = escaped(&value.to_string());
        assert!(!printed.chars().any(|c| c.is_control() || is_hidden(c)), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn commands_print_only_through_this_module() {
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
