//! The port of the payment provider.

use async_trait::async_trait;
use souk_domain::text::truncate;
use souk_domain::{PaymentId, RefundId};

use crate::provider_call::ProviderCall;

/// The answer of the payment provider to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderAnswer {
    /// The provider did what the call requested.
    Done {
        /// The provider's id of the payment or of the refund.
        provider_id: String,
    },
    /// The provider accepted the request and will report the result by webhook.
    Accepted {
        /// The provider's id of the payment.
        provider_id: String,
    },
    /// The provider declines; the same call would be declined again.
    Declined {
        /// The provider's reason code.
        code: String,
        /// The provider's reason as text for people.
        detail: String,
    },
    /// The provider could not answer now; the same call may succeed later.
    Retry {
        /// Description of the failure.
        detail: String,
    },
}

/// Maximum characters of a provider's reason code that are stored.
const CODE_CHARS_MAX: usize = 100;
/// Maximum characters of a provider's reason text that are stored.
const DETAIL_CHARS_MAX: usize = 500;

impl ProviderAnswer {
    /// Returns the answer with its code and texts cut to the lengths that events and logs store.
    pub fn bounded(self) -> Self {
        match self {
            Self::Declined { code, detail } => Self::Declined {
                code: truncate(code, CODE_CHARS_MAX),
                detail: truncate(detail, DETAIL_CHARS_MAX),
            },
            Self::Retry { detail } => Self::Retry { detail: truncate(detail, DETAIL_CHARS_MAX) },
            Self::Done { .. } | Self::Accepted { .. } => self,
        }
    }
}

/// A payment provider. Every call carries an idempotency key, and retries use the same key: the provider
/// carries out a request once per key.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// Returns the name of the provider, such as `simulated`. It is the actor of events that record the
    /// provider's answers.
    fn name(&self) -> &'static str;

    /// Makes a call. `number` counts the calls of one effect, from 1.
    ///
    /// An authorization with an empty token belongs to a buyer who was erased. The provider repeats the
    /// answer that it gave before under the same key, and declines if it gave none.
    async fn call(&self, call: &ProviderCall, number: u32, idempotency_key: &str) -> ProviderAnswer;

    /// Returns our payment, and its attempt, that the provider's id belongs to, if the provider knows the id.
    async fn find_payment(&self, provider_payment_id: &str) -> Option<FoundPayment>;

    /// Returns our refund that the provider's id belongs to, if the provider knows the id.
    async fn find_refund(&self, provider_refund_id: &str) -> Option<RefundId>;
}

/// The payment and attempt that an id of the provider belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundPayment {
    /// Id of our payment.
    pub payment: PaymentId,
    /// Number of the payment attempt, from 1.
    pub attempt: u32,
}
