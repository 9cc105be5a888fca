//! Commands to stored webhooks.

use jiff::Timestamp;

/// A command to the stored webhooks about one payment of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Stores a webhook.
    Store {
        /// The provider's id of its event.
        event_id: String,
        /// The provider's type of the event, such as `payment.authorized`.
        kind: String,
        /// The provider's id of the refund that the event is about.
        refund_id: Option<String>,
        /// Time at which the provider created the event.
        created_at: Timestamp,
    },
    /// Marks a webhook as processed, after the payment became known.
    Settle {
        /// The provider's id of its event.
        event_id: String,
        /// True if the payment accepted the webhook, false if it could not use it.
        taken: bool,
    },
}
