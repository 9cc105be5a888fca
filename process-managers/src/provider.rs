//! The payment provider port.

use async_trait::async_trait;
use souk_domain::{Money, PaymentId, RefundId};

/// What the provider answers to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It did what was asked; its id of the payment or of the refund.
    Done {
        /// The provider's id.
        provider_id: String,
    },
    /// It took the request and will answer by webhook.
    Accepted {
        /// The provider's id of the payment.
        provider_id: String,
    },
    /// It refuses, and will refuse again.
    Declined {
        /// Its code.
        code: String,
        /// In words.
        detail: String,
    },
    /// It could not answer now; the same call may succeed later.
    Retry {
        /// What went wrong.
        detail: String,
    },
}

/// A payment provider. Every call carries an idempotency key that its retries keep: the provider does
/// a thing once for one key.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// As in `simulated`; names the actor of its answers.
    fn name(&self) -> &'static str;

    /// Holds the money. `attempt` counts the calls of this effect, from 1.
    async fn authorize(
        &self,
        payment: PaymentId,
        amount: Money,
        token: &str,
        attempt: u32,
        idempotency_key: &str,
    ) -> Answer;

    /// Takes what is held.
    async fn capture(&self, provider_payment_id: &str, amount: Money, idempotency_key: &str) -> Answer;

    /// Lets go what is held.
    async fn void(&self, provider_payment_id: &str, idempotency_key: &str) -> Answer;

    /// Gives back what was taken.
    async fn refund(
        &self,
        provider_payment_id: &str,
        refund: RefundId,
        amount: Money,
        idempotency_key: &str,
    ) -> Answer;

    /// Which of our payments the provider's id belongs to, when the provider knows.
    async fn find_payment(&self, provider_payment_id: &str) -> Option<PaymentId>;
}
