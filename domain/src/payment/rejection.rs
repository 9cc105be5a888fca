//! Why a command to a payment is refused.

use souk_eventsourcing::Rejection;

use crate::names::{DebtId, RefundId};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRejection {
    /// No such payment.
    #[error("there is no such payment")]
    NotFound,
    /// A try is under way.
    #[error("a payment of this order is under way; wait for its answer")]
    InProgress,
    /// It is paid.
    #[error("the order is paid already")]
    AlreadyMade,
    /// The order is over.
    #[error("nobody waits for this payment any more")]
    Closed,
    /// Nothing was taken.
    #[error("nothing was captured that could be refunded")]
    NotCaptured,
    /// More than there is.
    #[error("{asked} can't be refunded, {left} minor units are left")]
    RefundExceedsPayment {
        /// Minor units asked for.
        asked: i64,
        /// Minor units left.
        left: i64,
    },
    /// All was given back, is being given back, or is owed.
    #[error("nothing is left to refund: all was given back, is on its way, or waits as a dead letter")]
    NothingLeft,
    /// Not an amount.
    #[error("a refund is at least 1 minor unit")]
    InvalidAmount,
    /// Another currency.
    #[error("a refund is in the payment's currency")]
    CurrencyMismatch,
    /// No failed refund or void of this id that waits for somebody.
    #[error("dead letter {0} is closed: it was tried again, given after all, settled or withdrawn")]
    NoDebt(DebtId),
    /// No such refund.
    #[error("there is no refund {0} of this payment")]
    RefundNotFound(RefundId),
}

impl Rejection for PaymentRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "payment-not-found",
            Self::InProgress => "payment-in-progress",
            Self::AlreadyMade => "payment-already-made",
            Self::Closed => "payment-closed",
            Self::NotCaptured => "payment-not-captured",
            Self::RefundExceedsPayment { .. } | Self::NothingLeft => "refund-exceeds-payment",
            Self::InvalidAmount => "invalid-amount",
            Self::CurrencyMismatch => "currency-mismatch",
            Self::NoDebt(_) => "dead-letter-not-found",
            Self::RefundNotFound(_) => "refund-not-found",
        }
    }
}
