//! What is taken back.

use serde::{Deserialize, Serialize};

use crate::names::OrderId;
use crate::order::event::Reversal;

/// The state of a reversal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReversalState {
    pub(super) begun: Option<(OrderId, Reversal)>,
    /// Commands without an answer.
    pub(super) unanswered: usize,
}

impl ReversalState {
    /// Whether everything is answered.
    pub fn is_ended(&self) -> bool {
        self.begun.is_some() && self.unanswered == 0
    }
}
