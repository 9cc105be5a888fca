//! The report of an import: what became of its lines, or in a dry run what would.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use souk_command_api::import::{CHANGES_MAX, FieldChange, LineOutcome, LineResult};

use crate::cli::output;

use super::line::InputLine;

/// Odd lines that are shown; more are counted.
const ODD_SHOWN_MAX: u64 = 20;
/// Refused lines that are shown when the error file has all of them; more are counted.
const REFUSED_SHOWN_MAX: u64 = 20;

/// The report.
pub struct Report {
    /// True when nothing is written.
    pub is_dry: bool,
    /// Refused lines.
    pub refused: u64,
    /// Lines that were read.
    pub read: u64,
    created: u64,
    changed: u64,
    unchanged: u64,
    odd: u64,
    json: bool,
    bar: ProgressBar,
}

impl Report {
    /// The report of an import with this bar.
    pub fn new(is_dry: bool, json: bool, bar: ProgressBar) -> Self {
        Self { is_dry, refused: 0, read: 0, created: 0, changed: 0, unchanged: 0, odd: 0, json, bar }
    }

    /// Counts a line, and shows what is odd about it.
    pub fn add_line(&mut self, line: &InputLine) {
        self.read += 1;
        self.odd += u64::from(!line.odd.is_empty());
        if !line.odd.is_empty() && self.odd <= ODD_SHOWN_MAX {
            self.warn(&format!("line {}: {}", line.number, line.odd.join("; ")));
        }
    }

    /// Counts a line that was taken; a dry run shows what would change.
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
        let what = if result.outcome == LineOutcome::Created { "new" } else { "changes" };
        let skus = skus.join(", ");
        let text = format!("line {}: {skus} {what}{}", line.number, listed(&result.changes));
        self.bar.suspend(|| output::line(text));
        Ok(())
    }

    /// Counts a refused line and shows the reason.
    pub fn add_refusal(&mut self, number: u64, code: &str, reason: &str, is_kept: bool) {
        self.refused += 1;
        if !is_kept || self.refused <= REFUSED_SHOWN_MAX {
            self.warn(&format!("line {number}: {code}: {reason}"));
        } else if self.refused == REFUSED_SHOWN_MAX + 1 {
            self.warn("more refused lines stand in the error file");
        }
    }

    fn warn(&self, text: &str) {
        self.bar.suspend(|| output::warn(text));
    }

    /// Takes the bar away.
    pub fn close_bar(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints the sums.
    pub fn print(&self) -> anyhow::Result<()> {
        let Self { read, created, changed, unchanged, refused, odd, is_dry, .. } = self;
        if self.json {
            return output::json(&serde_json::json!({
                "read": read, "created": created, "changed": changed, "unchanged": unchanged, "refused": refused,
                "odd": odd, "dryRun": is_dry,
            }));
        }
        let dry = if *is_dry { "dry run, nothing was written: " } else { "" };
        output::line(format!(
            "{dry}{read} lines: {created} created, {changed} changed, {unchanged} unchanged, {refused} refused, {odd} odd"
        ));
        Ok(())
    }
}

/// Changes for people, as in `: price of L1 1.00 GBP → 1.10 GBP`.
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
        text.push_str("; and perhaps more");
    }
    text
}
