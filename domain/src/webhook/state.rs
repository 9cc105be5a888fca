//! State of stored webhooks.

use serde::Serialize;
use std::collections::BTreeMap;

/// Maximum number of stored webhooks about one payment.
pub const STORED_MAX: usize = 100;

/// State of the stored webhooks about one payment of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookState {
    /// The provider's event id of each stored webhook. The value is true if the webhook was processed.
    pub seen: BTreeMap<String, bool>,
}
