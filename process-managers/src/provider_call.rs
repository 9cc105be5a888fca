//! What processes ask of the payment provider. Its answers come back as `Record…` commands on the
//! payment.

use souk_eventsourcing::{KeyRing, Person};

use souk_domain::money::Money;
use souk_domain::names::{PaymentId, RefundId, VoidId};
use souk_domain::personal_text::PersonalText;

/// An attempt to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The payment.
    pub payment: PaymentId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The amount.
    pub amount: Money,
    /// The buyer's means of payment.
    pub token: PersonalText,
}

/// A call to the provider. Its idempotency key is the id of the output that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderCall {
    /// Hold the money.
    Authorize(Authorization),
    /// Take what is held.
    Capture {
        /// The payment.
        payment: PaymentId,
        /// The provider's id of it.
        provider_payment_id: String,
        /// How much.
        amount: Money,
    },
    /// Let go what is held.
    Void {
        /// The payment.
        payment: PaymentId,
        /// The provider's id of it.
        provider_payment_id: String,
        /// Which request it is.
        void: VoidId,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// Give back what was taken.
    Refund {
        /// The payment.
        payment: PaymentId,
        /// The provider's id of it.
        provider_payment_id: String,
        /// Which refund.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
}

impl ProviderCall {
    /// The person whose key opens the call; none when nothing in it is personal.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Authorize(authorization) => authorization.token.person(),
            Self::Capture { .. } | Self::Void { .. } | Self::Refund { .. } => None,
        }
    }

    /// Returns the call as the provider gets it: with the token open, or empty when the buyer is erased.
    pub fn opened(&self, keys: &KeyRing) -> Self {
        match self {
            Self::Authorize(authorization) => {
                let token = authorization.token.reveal(keys).unwrap_or_default().into();
                Self::Authorize(Authorization { token, ..authorization.clone() })
            }
            other => other.clone(),
        }
    }

    /// The payment it is about.
    pub fn payment(&self) -> PaymentId {
        match self {
            Self::Authorize(Authorization { payment, .. })
            | Self::Capture { payment, .. }
            | Self::Void { payment, .. }
            | Self::Refund { payment, .. } => *payment,
        }
    }
}
