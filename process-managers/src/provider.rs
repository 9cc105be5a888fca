//! The payment provider port.

use async_trait::async_trait;
use souk_domain::text::cut;
use souk_domain::{PaymentId, RefundId};

use crate::provider_call::ProviderCall;

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

/// Characters of a provider's code that are kept.
const CODE_CHARS_MAX: usize = 100;
/// Characters of a provider's words that are kept.
const DETAIL_CHARS_MAX: usize = 500;

impl Answer {
    /// The answer with as much of the provider's code and words as events and logs keep.
    pub fn bounded(self) -> Self {
        match self {
            Self::Declined { code, detail } => {
                Self::Declined { code: cut(code, CODE_CHARS_MAX), detail: cut(detail, DETAIL_CHARS_MAX) }
            }
            Self::Retry { detail } => Self::Retry { detail: cut(detail, DETAIL_CHARS_MAX) },
            Self::Done { .. } | Self::Accepted { .. } => self,
        }
    }
}

/// A payment provider. Every call carries an idempotency key that its retries keep: the provider does
/// a thing once for one key.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// As in `simulated`; names the actor of its answers.
    fn name(&self) -> &'static str;

    /// Makes a call. `number` counts the calls of one effect, from 1.
    ///
    /// An authorization with an empty token belongs to an erased buyer: it repeats the answer that was given
    /// under the key before, and is declined when there was none.
    async fn call(&self, call: &ProviderCall, number: u32, idempotency_key: &str) -> Answer;

    /// Finds our payment, and the attempt, that the provider's id belongs to, when the provider knows.
    async fn find_payment(&self, provider_payment_id: &str) -> Option<FoundPayment>;

    /// Finds our refund that the provider's id belongs to, when the provider knows.
    async fn find_refund(&self, provider_refund_id: &str) -> Option<RefundId>;
}

/// The payment that an id of the provider belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundPayment {
    /// Our payment.
    pub payment: PaymentId,
    /// The number of the attempt to be paid, from 1.
    pub attempt: u32,
}
