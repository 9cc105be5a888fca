//! Commands to stored webhooks.

use jiff::Timestamp;

/// A command to the stored webhooks about one payment of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Stores a webhook.
    Store {
        /// Id that the provider gave to the event in the webhook.
        event_id: String,
        /// Type that the provider gave to the event, such as `payment.authorized`.
        kind: String,
        /// The provider's id of the refund that the event is about; `None` if the event names none.
        refund_id: Option<String>,
        /// Time at which the provider created the event.
        created_at: Timestamp,
    },
    /// Records the outcome of a stored webhook, after the shop knows which payment it is about. The webhook is
    /// not applied again.
    RecordOutcome {
        /// Id that the provider gave to the event in the webhook.
        event_id: String,
        /// True if the payment accepted the webhook, false if it could not use it.
        is_applied: bool,
    },
}
