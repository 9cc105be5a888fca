//! What processes ask of the payment provider. Its answers come back as `Record…` commands on the
//! payment.

use crate::money::Money;
use crate::names::{PaymentId, RefundId, VoidId};

/// A call to the provider. Its idempotency key is the id of the output that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderCall {
    /// Hold the money.
    Authorize {
        /// The payment.
        payment: PaymentId,
        /// How much.
        amount: Money,
        /// The buyer's means of payment.
        token: String,
    },
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
    },
}

impl ProviderCall {
    /// The payment it is about.
    pub fn payment(&self) -> PaymentId {
        match self {
            Self::Authorize { payment, .. }
            | Self::Capture { payment, .. }
            | Self::Void { payment, .. }
            | Self::Refund { payment, .. } => *payment,
        }
    }
}
