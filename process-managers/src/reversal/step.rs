//! What a reversal can ask for.

use souk_eventsourcing::process::Step;

/// A symbol for it; lines are counted over the reversal's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalStep {
    /// Give the money back.
    Refund,
    /// Put a line's units back on hand.
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
