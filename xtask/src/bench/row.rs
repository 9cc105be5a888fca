//! Row of the result table: a measured figure, its baseline, its target, and the result.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

/// Row of the result table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    name: String,
    measured: Option<f64>,
    unit: &'static str,
    baseline: Option<f64>,
    ratio: Option<f64>,
    target: String,
    pub(super) ok: bool,
    note: String,
}

impl Row {
    /// Creates a row whose target is at least a fraction of a baseline.
    pub(super) fn at_least(name: &str, unit: &'static str, measured: f64, baseline: f64, least: f64) -> Self {
        let ratio = measured / baseline;
        let target = format!("≥ {least} of baseline");
        Self::new(name, unit, measured, Some(baseline), target, ratio >= least)
    }

    /// Creates a row whose target is at most a multiple of a baseline.
    pub(super) fn at_most_times(
        name: &str,
        unit: &'static str,
        measured: f64,
        baseline: f64,
        most: f64,
    ) -> Self {
        let target = format!("≤ {most} × baseline");
        Self::new(name, unit, measured, Some(baseline), target, measured / baseline <= most)
    }

    /// Creates a row whose target is at most a figure.
    pub(super) fn at_most(name: &str, unit: &'static str, measured: f64, most: f64) -> Self {
        Self::new(name, unit, measured, None, format!("≤ {most}"), measured <= most)
    }

    /// Creates a row whose target is at least a figure.
    pub(super) fn no_less(name: &str, unit: &'static str, measured: f64, least: f64) -> Self {
        Self::new(name, unit, measured, None, format!("≥ {least}"), measured >= least)
    }

    /// Creates a row whose target is exactly a figure.
    pub(super) fn exactly(name: &str, unit: &'static str, measured: f64, target: f64) -> Self {
        Self::new(name, unit, measured, None, format!("= {target}"), (measured - target).abs() < 0.5)
    }

    /// Creates a row without a target.
    pub(super) fn reported(name: &str, unit: &'static str, measured: f64) -> Self {
        Self::new(name, unit, measured, None, "reported".to_owned(), true)
    }

    /// Creates a row for a failed measurement.
    pub(super) fn failed(name: &str, error: &anyhow::Error) -> Self {
        Self {
            name: name.to_owned(),
            measured: None,
            unit: "",
            baseline: None,
            ratio: None,
            target: String::new(),
            ok: false,
            note: format!("{error:#}"),
        }
    }

    fn new(
        name: &str,
        unit: &'static str,
        measured: f64,
        baseline: Option<f64>,
        target: String,
        ok: bool,
    ) -> Self {
        let ratio = baseline.map(|baseline| measured / baseline);
        let name = name.to_owned();
        let note = String::new();
        Self { name, measured: Some(measured), unit, baseline, ratio, target, ok, note }
    }

    /// Adds a note.
    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn cells(&self) -> [String; 7] {
        let shown =
            |value: Option<f64>| value.map(|value| rounded(value) + " " + self.unit).unwrap_or_default();
        [
            self.name.clone(),
            shown(self.measured),
            shown(self.baseline),
            self.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            self.target.clone(),
            if self.ok { "ok" } else { "MISSED" }.to_owned(),
            self.note.replace('\n', " "),
        ]
    }
}

fn rounded(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Prints the rows as a Markdown table, or as JSON lines.
pub(super) fn print(rows: &[Row], json: bool) -> Result<()> {
    if json {
        for row in rows {
            println!("{}", serde_json::to_string(row)?);
        }
        return Ok(());
    }
    let head = ["work", "measured", "baseline", "ratio", "target", "ok?", "note"].map(str::to_owned);
    let cells: Vec<[String; 7]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..7).map(width).collect();
    for (index, row) in cells.iter().enumerate() {
        println!("{}", line(row, &widths));
        if index == 0 {
            let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            println!("| {} |", dashes.join(" | "));
        }
    }
    Ok(())
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::from("|");
    for (cell, width) in cells.iter().zip(widths) {
        write!(line, " {cell:width$} |").expect("writing to a String does not fail");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_ok_if_it_reaches_its_target() {
        assert!(Row::at_least("x", "/s", 70.0, 100.0, 0.7).ok);
        assert!(!Row::at_least("x", "/s", 69.0, 100.0, 0.7).ok);
        assert!(Row::at_most_times("x", "ms", 2.0, 1.0, 2.0).ok);
        assert!(!Row::at_most("x", "s", 20.1, 20.0).ok);
        assert!(!Row::no_less("x", "/s", 49_999.0, 50_000.0).ok);
        assert!(Row::exactly("x", "", 50.0, 50.0).ok && !Row::exactly("x", "", 51.0, 50.0).ok);
        assert!(!Row::failed("x", &anyhow::anyhow!("no server")).ok);
    }
}
