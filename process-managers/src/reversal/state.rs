//! What is taken back.

use serde::{Deserialize, Serialize};

use souk_domain::names::OrderId;
use souk_domain::order::event::Reversal;

/// The state of a reversal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReversalState {
    pub(super) begun: Option<(OrderId, Reversal)>,
    pub(super) progress: Progress,
}

/// The progress of a reversal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Progress {
    /// Nothing was asked for.
    #[default]
    Begun,
    /// Everything was asked for.
    Asked,
    /// Everything is answered.
    Ended,
}

impl ReversalState {
    /// Whether everything is answered.
    pub fn is_ended(&self) -> bool {
        self.progress == Progress::Ended
    }
}
