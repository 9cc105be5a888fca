//! Steps of a reversal: names for its commands.

use souk_eventsourcing::process::Step;

/// A step of a reversal. A line's number counts the lines of the reversal, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalStep {
    /// Requests the refund of the money.
    Refund,
    /// Puts a line's units back on the shelf.
    Restock(u32),
}

impl Step for ReversalStep {
    fn name(&self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Restock(_) => "restock",
        }
    }

    fn number(&self) -> Option<u32> {
        match self {
            Self::Refund => None,
            Self::Restock(line) => Some(*line),
        }
    }

    fn parse(name: &str, number: Option<u32>) -> Option<Self> {
        match (name, number) {
            ("refund", None) => Some(Self::Refund),
            ("restock", Some(line)) => Some(Self::Restock(line)),
            _ => None,
        }
    }
}
