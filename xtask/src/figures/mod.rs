//! Figures of the source: lengths, the language of doc comments, and shapes that hide what a line does.
//!
//! `cargo xtask tidy --figures` prints them beside the values to keep; the tidy checks hold the source to the ones that
//! are rules.

mod history;
mod source;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::workspace;
pub(crate) use history::subject_faults;
pub(crate) use source::Source;

/// `cargo xtask tidy`.
#[derive(Args)]
pub(crate) struct TidyOptions {
    /// Prints the figures of the source, and every place that breaks a rule.
    #[arg(long, required = true)]
    figures: bool,
}

/// Percent of doc comments that may be short.
const SHORT_PERCENT_MAX: f64 = 5.0;
/// Uses of `dyn` per 1,000 lines, at most.
const DYNS_MAX: f64 = 2.0;

/// Every Rust file of the checkout, with its figures.
pub(crate) fn sources() -> Result<Vec<(PathBuf, Source)>> {
    let files = workspace::tracked_files()?;
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| {
        let text = std::fs::read_to_string(workspace::root().join(&path))?;
        let source = Source::of(&text);
        Ok((path, source))
    })
    .collect()
}

/// Prints the figures; false when one is beyond its value.
pub(crate) fn run(options: &TidyOptions) -> Result<bool> {
    let sources = sources()?;
    let faults = subject_faults()?;
    let figures = Figures::of(&sources, faults.len());
    if options.figures {
        figures.print();
        for (path, source) in &sources {
            for (line, fault) in source.faults() {
                println!("{}:{line}: {fault}", path.display());
            }
        }
        for fault in faults {
            println!("{fault}");
        }
    }
    Ok(figures.are_kept())
}

/// The figures of all files together.
struct Figures {
    /// Lines of each file, ascending.
    lengths: Vec<usize>,
    functions: usize,
    long_functions: usize,
    doc_comments: usize,
    riddles: usize,
    short_doc_comments: usize,
    tuple_lets: usize,
    dyns: usize,
    subjects: usize,
}

impl Figures {
    fn of(sources: &[(PathBuf, Source)], subjects: usize) -> Self {
        let sum = |figure: fn(&Source) -> usize| sources.iter().map(|(_, source)| figure(source)).sum();
        let mut lengths: Vec<usize> = sources.iter().map(|(_, source)| source.lines).collect();
        lengths.sort_unstable();
        Self {
            lengths,
            functions: sum(|source| source.functions),
            long_functions: sum(|source| source.long_functions.len()),
            doc_comments: sum(|source| source.doc_comments),
            riddles: sum(|source| source.riddles.len()),
            short_doc_comments: sum(|source| source.short_doc_comments),
            tuple_lets: sum(|source| source.tuple_lets.len()),
            dyns: sum(|source| source.dyns),
            subjects,
        }
    }

    /// The length within which so many percent of the files stay.
    fn length(&self, percent: usize) -> usize {
        let index = (self.lengths.len() * percent / 100).min(self.lengths.len().saturating_sub(1));
        self.lengths.get(index).copied().unwrap_or_default()
    }

    fn short_percent(&self) -> f64 {
        percent(self.short_doc_comments, self.doc_comments)
    }

    /// Uses of `dyn` per 1,000 lines.
    fn dyn_rate(&self) -> f64 {
        percent(self.dyns, self.lengths.iter().sum()) * 10.0
    }

    fn are_kept(&self) -> bool {
        let none = [self.long_functions, self.riddles, self.tuple_lets, self.subjects]
            .iter()
            .all(|count| *count == 0);
        none && self.short_percent() < SHORT_PERCENT_MAX && self.dyn_rate() < DYNS_MAX
    }

    fn print(&self) {
        let rows = [
            (
                "lines of a file: half, nine of ten, longest",
                format!("{} / {} / {}", self.length(50), self.length(90), self.length(100)),
                String::new(),
            ),
            (
                "functions over 70 lines",
                format!("{} of {}", self.long_functions, self.functions),
                "0".to_owned(),
            ),
            (
                "doc comments that open with What, Whether, How, Who, Where …",
                format!("{} of {}", self.riddles, self.doc_comments),
                "0".to_owned(),
            ),
            (
                "doc comments of 3 words or fewer",
                format!("{:.1} %", self.short_percent()),
                format!("< {SHORT_PERCENT_MAX} %"),
            ),
            ("tuple lets", self.tuple_lets.to_string(), "0".to_owned()),
            ("`dyn` per 1,000 lines", format!("{:.2}", self.dyn_rate()), format!("< {DYNS_MAX}")),
            ("commit subjects against the rule", self.subjects.to_string(), "0".to_owned()),
        ];
        for (figure, value, to_keep) in rows {
            println!("{figure:64} {value:>18}  {to_keep}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines are far below 2^52")]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
