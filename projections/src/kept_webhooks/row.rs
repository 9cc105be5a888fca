//! Row of the read model `kept_webhooks`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Webhook of the provider about a payment that the shop did not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptWebhookRow {
    /// Id of the payment at the provider.
    pub provider_payment_id: String,
    /// Kind of the provider's event, as in `payment.authorized`.
    pub kind: String,
    /// Id of the refund; `None` if the webhook does not concern a refund.
    pub refund_id: Option<String>,
    /// Time at which the provider created its event.
    pub created_at: Timestamp,
}
