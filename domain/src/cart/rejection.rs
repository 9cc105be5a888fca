//! Why a command to a cart is refused.

use souk_eventsourcing::Rejection;

use crate::limits::{LINE_UNITS_MAX, LINES_MAX, TOTAL_MINOR_MAX};
use crate::names::Sku;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CartRejection {
    /// There is nothing to order.
    #[error("the cart is empty")]
    Empty,
    /// Too many lines.
    #[error("a cart has at most {LINES_MAX} lines")]
    Full,
    /// Too many units, or none.
    #[error("a line has 1 to {LINE_UNITS_MAX} units, {asked} were asked for")]
    QuantityLimit {
        /// Units.
        asked: u64,
    },
    /// The lines would cost more than an order may.
    #[error("the total of a cart is at most {TOTAL_MINOR_MAX} minor units, as that of an order is")]
    TotalTooLarge,
    /// Prices of two currencies.
    #[error("a cart has one currency")]
    CurrencyMismatch,
    /// No such line.
    #[error("the cart has no line of {sku}")]
    LineNotFound {
        /// The SKU.
        sku: Sku,
    },
    /// The lines to be ordered are not those in the cart.
    #[error("the cart was changed meanwhile; look at it again")]
    Changed,
}

impl Rejection for CartRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "cart-empty",
            Self::Full => "cart-full",
            Self::QuantityLimit { .. } => "quantity-limit",
            Self::TotalTooLarge => "total-too-large",
            Self::CurrencyMismatch => "currency-mismatch",
            Self::LineNotFound { .. } => "line-not-found",
            Self::Changed => "cart-changed",
        }
    }
}
