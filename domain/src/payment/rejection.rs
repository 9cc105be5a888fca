//! Reasons why a command to a payment is refused.

use souk_eventsourcing::Rejection;

use crate::problem::ProblemKind::{Conflict, Missing};
use crate::problem::{ProblemEntry, PublicRejection};
use crate::{DebtId, RefundId};

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRejection {
    /// The payment was never requested.
    #[error("there is no such payment")]
    NotFound,
    /// A payment attempt is in progress.
    #[error("a payment attempt of this order is in progress; wait for its result")]
    InProgress,
    /// The order is paid.
    #[error("the order is already paid")]
    AlreadyMade,
    /// The payment was abandoned.
    #[error("the payment is closed: the order has ended or was paid in another way")]
    Closed,
    /// No money was captured.
    #[error("no money was captured, so nothing can be refunded")]
    NotCaptured,
    /// The refund is larger than the amount that is left.
    #[error("{requested} minor units can't be refunded, at most {left} can")]
    RefundExceedsPayment {
        /// Requested amount in minor units.
        requested: i64,
        /// Minor units that can still be refunded.
        left: i64,
    },
    /// Everything was refunded, is being refunded, or is held by a debt.
    #[error(
        "nothing is left to refund: all money was refunded, is being refunded, or belongs to a dead letter"
    )]
    NothingLeft,
    /// The amount is less than one minor unit.
    #[error("a refund must be at least 1 minor unit")]
    InvalidAmount,
    /// The refund has another currency than the payment.
    #[error("a refund must have the currency of the payment")]
    CurrencyMismatch,
    /// There is no open debt of this id.
    #[error("dead letter {0} is closed: it was retried, refunded after all, settled or withdrawn")]
    NoDebt(DebtId),
    /// The payment has no refund of this id.
    #[error("the payment has no refund {0}")]
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

impl PublicRejection for PaymentRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new(
            "payment-not-found",
            Missing,
            "The payment does not exist",
            "No payment has this id, or the payment belongs to another customer.",
        ),
        ProblemEntry::new(
            "payment-in-progress",
            Conflict,
            "Another payment is in progress",
            "Wait until the provider has answered.",
        ),
        ProblemEntry::new(
            "payment-already-made",
            Conflict,
            "The order is already paid",
            "Check the order's status.",
        ),
        ProblemEntry::new(
            "payment-closed",
            Conflict,
            "The payment is closed",
            "The order has ended, so it needs no payment.",
        ),
        ProblemEntry::new(
            "payment-not-captured",
            Conflict,
            "The payment was not captured",
            "Only money that was captured can be refunded.",
        ),
        ProblemEntry::new(
            "refund-exceeds-payment",
            Conflict,
            "The refund exceeds the payment",
            "The detail says how much can still be refunded.",
        ),
        ProblemEntry::new(
            "refund-not-found",
            Missing,
            "The refund does not exist",
            "The payment lists its refunds.",
        ),
    ];

    const FIELD_POINTERS: &'static [(&'static str, &'static str)] =
        &[("invalid-amount", "/amount/amount"), ("currency-mismatch", "/amount/currency")];
}
