//! The document of a kept webhook.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// What the provider said of a payment that nobody here knew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptWebhookRow {
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// What it says happened.
    pub kind: String,
    /// The refund it is about.
    pub refund_id: Option<String>,
    /// When the provider made it.
    pub created_at: Timestamp,
}
