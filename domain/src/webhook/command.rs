//! What can be asked of kept webhooks.

/// A command to the webhooks about one payment of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Keeps one.
    Keep {
        /// The provider's id of its event.
        event_id: String,
        /// What it says happened, as in `payment.authorized`.
        kind: String,
        /// When the provider made it.
        created_at: jiff::Timestamp,
    },
}
