//! Report of an import: the results of its lines, or of a dry run the expected results.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use souk_command_api::import::{CHANGES_MAX, FieldChange, LineOutcome, LineResult};

use crate::cli::output;

use super::line::InputLine;

/// Maximum number of lines with warnings that are printed. Further ones are only counted.
const WARNINGS_SHOWN_MAX: u64 = 20;
/// Maximum number of refused lines that are printed if there is an error file. Further ones are only counted.
const REFUSED_SHOWN_MAX: u64 = 20;

/// Counters of an import, and its output.
pub struct Report {
    /// True for a dry run, which writes nothing.
    pub is_dry: bool,
    /// Number of refused lines.
    pub refused: u64,
    /// Number of lines that were read.
    pub read: u64,
    created: u64,
    changed: u64,
    unchanged: u64,
    warned_lines: u64,
    json: bool,
    bar: ProgressBar,
}

impl Report {
    /// Creates a report with a progress bar.
    pub fn new(is_dry: bool, json: bool, bar: ProgressBar) -> Self {
        Self { is_dry, refused: 0, read: 0, created: 0, changed: 0, unchanged: 0, warned_lines: 0, json, bar }
    }

    /// Counts a line, and prints its warnings.
    pub fn add_line(&mut self, line: &InputLine) {
        self.read += 1;
        self.warned_lines += u64::from(!line.warnings.is_empty());
        if !line.warnings.is_empty() && self.warned_lines <= WARNINGS_SHOWN_MAX {
            self.warn(&format!("line {}: {}", line.number, line.warnings.join("; ")));
        }
    }

    /// Counts a result of the shop. A dry run also prints what would change.
    pub fn add_result(&mut self, line: &InputLine, result: &LineResult) -> anyhow::Result<()> {
        match result.outcome {
            LineOutcome::Created => self.created += 1,
            LineOutcome::Changed => self.changed += 1,
            LineOutcome::Unchanged => self.unchanged += 1,
            LineOutcome::Refused => self.refused += 1,
        }
        if !self.is_dry || result.outcome == LineOutcome::Unchanged {
            return Ok(());
        }
        let skus = line.product.as_ref().map(|product| product.skus.as_slice()).unwrap_or_default();
        if self.json {
            let LineResult { outcome, id, changes, .. } = result;
            return output::json(&serde_json::json!({
                "line": line.number, "outcome": outcome, "id": id, "skus": skus, "changes": changes,
            }));
        }
        let kind = if result.outcome == LineOutcome::Created { "new" } else { "changes" };
        let skus = skus.join(", ");
        let text = format!("line {}: {skus} {kind}{}", line.number, listed(&result.changes));
        self.bar.suspend(|| output::line(text));
        Ok(())
    }

    /// Counts a refused line and prints the reason.
    pub fn add_refusal(&mut self, number: u64, code: &str, reason: &str, is_kept: bool) {
        self.refused += 1;
        if !is_kept || self.refused <= REFUSED_SHOWN_MAX {
            self.warn(&format!("line {number}: {code}: {reason}"));
        } else if self.refused == REFUSED_SHOWN_MAX + 1 {
            self.warn("see the error file for more refused lines");
        }
    }

    fn warn(&self, text: &str) {
        self.bar.suspend(|| output::warn(text));
    }

    /// Removes the progress bar.
    pub fn close_bar(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints the totals.
    pub fn print(&self) -> anyhow::Result<()> {
        let Self { read, created, changed, unchanged, refused, warned_lines, is_dry, .. } = self;
        if self.json {
            return output::json(&serde_json::json!({
                "read": read, "created": created, "changed": changed, "unchanged": unchanged, "refused": refused,
                "odd": warned_lines, "dryRun": is_dry,
            }));
        }
        let dry = if *is_dry { "dry run, nothing was written: " } else { "" };
        output::line(format!(
            "{dry}{read} lines: {created} created, {changed} changed, {unchanged} unchanged, {refused} refused, {warned_lines} odd"
        ));
        Ok(())
    }
}

/// Returns a text about changes, for example `: price of L1 1.00 GBP → 1.10 GBP`.
fn listed(changes: &[FieldChange]) -> String {
    let mut text = String::new();
    for change in changes {
        let of = change.sku.as_ref().map(|sku| format!(" of {sku}")).unwrap_or_default();
        let value = |value: &Option<String>| match value.as_deref() {
            None => "none".to_owned(),
            Some("") => "empty".to_owned(),
            Some(value) => value.to_owned(),
        };
        let sign = if text.is_empty() { ": " } else { "; " };
        // Writing to a string never fails.
        let _ = write!(text, "{sign}{}{of} {} → {}", change.field, value(&change.from), value(&change.to));
    }
    if changes.len() == CHANGES_MAX {
        text.push_str("; there may be more changes");
    }
    text
}
