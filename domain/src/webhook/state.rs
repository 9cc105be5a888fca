//! Which webhooks are kept.

use serde::Serialize;
use std::collections::BTreeMap;

/// Webhooks about one payment that are kept; more are refused.
pub const KEPT_MAX: usize = 100;

/// The state of kept webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookState {
    /// The provider's ids of its events, and whether the payment was told of each.
    pub seen: BTreeMap<String, bool>,
}
