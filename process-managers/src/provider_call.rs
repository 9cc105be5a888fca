//! Calls that processes make to the payment provider. The driver records the answers with `Record…` commands
//! to the payment.

use souk_eventsourcing::{KeyRing, Person};

use souk_domain::money::Money;
use souk_domain::personal_text::PersonalText;
use souk_domain::{PaymentId, RefundId, VoidId};

/// Request to hold the money of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Payment to authorize.
    pub payment: PaymentId,
    /// Number of the payment attempt, from 1.
    pub attempt: u32,
    /// Amount to hold.
    pub amount: Money,
    /// The provider's token for the buyer's means of payment.
    pub token: PersonalText,
}

/// A call to the payment provider. Its idempotency key is the id of the process output that requests the
/// call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderCall {
    /// Holds the money.
    Authorize(Authorization),
    /// Captures money that is held.
    Capture {
        /// Payment to capture.
        payment: PaymentId,
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// Amount to capture.
        amount: Money,
    },
    /// Releases money that is held.
    Void {
        /// Payment whose hold is released.
        payment: PaymentId,
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// Id of this void.
        void: VoidId,
        /// Number of the void attempt, from 1.
        attempt: u32,
    },
    /// Refunds money that was captured.
    Refund {
        /// Payment that the money is refunded from.
        payment: PaymentId,
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// Id of this refund.
        refund: RefundId,
        /// Amount to return to the buyer.
        amount: Money,
        /// Number of the refund attempt, from 1.
        attempt: u32,
    },
}

impl ProviderCall {
    /// Returns the person whose key opens the call, or `None` if the call holds no personal data.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Authorize(authorization) => authorization.token.person(),
            Self::Capture { .. } | Self::Void { .. } | Self::Refund { .. } => None,
        }
    }

    /// Returns the call as it is sent to the provider: with the token in plain text, or with an empty token
    /// if the buyer is erased.
    pub fn opened(&self, keys: &KeyRing) -> Self {
        match self {
            Self::Authorize(authorization) => {
                let token = authorization.token.reveal(keys).unwrap_or_default().into();
                Self::Authorize(Authorization { token, ..authorization.clone() })
            }
            other => other.clone(),
        }
    }

    /// Returns the payment that the call is about.
    pub fn payment(&self) -> PaymentId {
        match self {
            Self::Authorize(Authorization { payment, .. })
            | Self::Capture { payment, .. }
            | Self::Void { payment, .. }
            | Self::Refund { payment, .. } => *payment,
        }
    }
}
