//! State of a reversal: the goods and the money to return, and its progress.

use serde::{Deserialize, Serialize};

use souk_domain::OrderId;
use souk_domain::order::event::Reversal;

/// State of a reversal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReversalState {
    pub(super) begun: Option<(OrderId, Reversal)>,
    pub(super) progress: Progress,
}

/// Progress of a reversal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Progress {
    /// Nothing is requested yet.
    #[default]
    Begun,
    /// The refund and all restocks are requested.
    #[serde(rename = "asked")]
    Requested,
    /// Every command has its answer.
    Ended,
}

impl ReversalState {
    /// Returns true once every command has its answer.
    pub fn is_ended(&self) -> bool {
        self.progress == Progress::Ended
    }
}
