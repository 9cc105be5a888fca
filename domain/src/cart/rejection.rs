//! Why a command to a cart is refused.

use souk_eventsourcing::Rejection;

use crate::limits::{LINE_UNITS_MAX, LINES_MAX, TOTAL_MINOR_MAX};
use crate::money::Currency;
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
    /// No units are to be put in.
    #[error("1 to {LINE_UNITS_MAX} units can be put in, 0 were asked for")]
    NoUnits,
    /// Too many units.
    #[error("a line has at most {LINE_UNITS_MAX} units, this one would have {units}")]
    QuantityLimit {
        /// The units that the line would have.
        units: u64,
    },
    /// The lines would cost more than an order may.
    #[error("the total of a cart is at most {TOTAL_MINOR_MAX} minor units, as that of an order is")]
    TotalTooLarge,
    /// Prices of two currencies.
    #[error(
        "SKU {sku} is priced in {}, the other lines in {}, and a cart has one currency: {}", .currency.code(),
        .others.code(), remedy(*.is_line)
    )]
    CurrencyMismatch {
        /// The SKU.
        sku: Sku,
        /// The currency of its price.
        currency: Currency,
        /// The currency of the other lines.
        others: Currency,
        /// True if the cart has a line of it.
        is_line: bool,
    },
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

/// The way on with a line in another currency.
fn remedy(is_line: bool) -> &'static str {
    if is_line { "remove its line, or the others" } else { "order it by itself, or remove the others" }
}

impl Rejection for CartRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "cart-empty",
            Self::Full => "cart-full",
            Self::NoUnits | Self::QuantityLimit { .. } => "quantity-limit",
            Self::TotalTooLarge => "total-too-large",
            Self::CurrencyMismatch { .. } => "currency-mismatch",
            Self::LineNotFound { .. } => "line-not-found",
            Self::Changed => "cart-changed",
        }
    }
}
