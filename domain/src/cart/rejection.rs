//! Reasons why a command to a cart is refused.

use souk_eventsourcing::Rejection;

use crate::Sku;
use crate::limits::{LINE_UNITS_MAX, LINES_MAX, TOTAL_MINOR_MAX};
use crate::money::Currency;
use crate::problem::ProblemKind::{Conflict, Missing};
use crate::problem::{ProblemEntry, PublicRejection};

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CartRejection {
    /// The cart has no lines to order.
    #[error("the cart is empty")]
    Empty,
    /// The cart has the maximum number of lines.
    #[error("a cart has at most {LINES_MAX} lines")]
    Full,
    /// The SKU is not for sale.
    #[error("SKU {sku} is not for sale")]
    NotForSale {
        /// SKU of the request.
        sku: Sku,
    },
    /// The request adds 0 units.
    #[error("1 to {LINE_UNITS_MAX} units can be added, but 0 were requested")]
    NoUnits,
    /// The line would have too many units.
    #[error("a line has at most {LINE_UNITS_MAX} units, but this one would have {units}")]
    QuantityLimit {
        /// Units that the line would have.
        units: u64,
    },
    /// The lines would cost more than an order may.
    #[error("the total of a cart is at most {TOTAL_MINOR_MAX} minor units, like the total of an order")]
    TotalTooLarge,
    /// The price has another currency than the other lines.
    #[error(
        "SKU {sku} is priced in {}, but the other lines are priced in {}, and a cart has only one \
         currency: {}",
        .currency.code(),
        .others.code(), remedy(*.is_line)
    )]
    CurrencyMismatch {
        /// SKU with the other currency.
        sku: Sku,
        /// Currency of its price.
        currency: Currency,
        /// Currency of the other lines.
        others: Currency,
        /// True if the cart already has a line of this SKU.
        is_line: bool,
    },
    /// The cart has no line of the SKU.
    #[error("the cart has no line of SKU {sku}")]
    LineNotFound {
        /// SKU of the request.
        sku: Sku,
    },
    /// The lines of the order differ from those in the cart.
    #[error("the cart has changed in the meantime; load it again")]
    Changed,
}

/// Advises how to continue with a line in another currency.
fn remedy(is_line: bool) -> &'static str {
    if is_line {
        "remove its line, or the other lines"
    } else {
        "order it separately, or remove the other lines"
    }
}

impl Rejection for CartRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "cart-empty",
            Self::Full => "cart-full",
            Self::NotForSale { .. } => "unknown-sku",
            Self::NoUnits | Self::QuantityLimit { .. } => "quantity-limit",
            Self::TotalTooLarge => "total-too-large",
            Self::CurrencyMismatch { .. } => "currency-mismatch",
            Self::LineNotFound { .. } => "line-not-found",
            Self::Changed => "cart-changed",
        }
    }
}

impl PublicRejection for CartRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new("cart-empty", Conflict, "The cart is empty", "Add an item first."),
        ProblemEntry::new("cart-full", Conflict, "The cart is full", "A cart has at most 2,000 lines."),
        ProblemEntry::new(
            "cart-changed",
            Conflict,
            "The cart has changed",
            "Another request changed the cart at the same time. Read the cart again, then repeat the order.",
        ),
        ProblemEntry::new(
            "line-not-found",
            Missing,
            "The cart has no such line",
            "The line was removed or never existed.",
        ),
        ProblemEntry::new(
            "price-changed",
            Conflict,
            "Prices changed",
            "Set the lines again to accept the current prices, or send the order with `acceptPriceChanges`.",
        ),
    ];

    const FIELD_POINTERS: &'static [(&'static str, &'static str)] = &[
        ("unknown-sku", "/sku"),
        ("quantity-limit", "/quantity"),
        ("total-too-large", "/quantity"),
        ("currency-mismatch", "/sku"),
    ];
}
