//! Which webhooks are kept.

use std::collections::BTreeSet;

/// Webhooks about one payment that are kept; more are refused.
pub const KEPT_MAX: usize = 100;

/// The state of kept webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookState {
    /// The provider's ids of its events.
    pub kept: BTreeSet<String>,
}
