//! Events of stored webhooks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

/// A webhook was stored, because its payment is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Id that the provider gave to the event in the webhook.
    pub event_id: String,
    /// The provider's type of the event, such as `payment.authorized`.
    pub kind: String,
    /// The provider's id of the refund that the event is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// Time at which the provider created the event.
    pub created_at: Timestamp,
}

/// The payment became known, and the stored webhook was processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// Id that the provider gave to the event in the webhook.
    pub event_id: String,
    /// True if the payment accepted the webhook, false if it could not use it.
    #[serde(rename = "taken")]
    pub is_applied: bool,
}

event_enum! {
    /// Events of stored webhooks.
    pub enum WebhookEvent {
        Stored = "webhook.kept" v 1,
        Settled = "webhook.settled" v 1,
    }
}
