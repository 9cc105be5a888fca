//! What can happen to kept webhooks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

/// One was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The provider's id of its event.
    pub event_id: String,
    /// What it says happened.
    pub kind: String,
    /// The refund it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// When the provider made it.
    pub created_at: Timestamp,
}

/// The payment was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// The provider's id of its event.
    pub event_id: String,
    /// Whether the payment could make something of it.
    pub taken: bool,
}

event_enum! {
    /// What happens to kept webhooks.
    pub enum WebhookEvent {
        Kept = "webhook.kept" v 1,
        Settled = "webhook.settled" v 1,
    }
}
