//! What can be asked of kept webhooks.

use jiff::Timestamp;

/// A command to the webhooks about one payment of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Keeps one.
    Keep {
        /// The provider's id of its event.
        event_id: String,
        /// What it says happened, as in `payment.authorized`.
        kind: String,
        /// The refund it is about.
        refund_id: Option<String>,
        /// When the provider made it.
        created_at: Timestamp,
    },
    /// Notes that the payment was told of one, now that it is known.
    Settle {
        /// The provider's id of its event.
        event_id: String,
        /// Whether the payment could make something of it.
        taken: bool,
    },
}
