//! Why a command to stock is refused.

use souk_eventsourcing::Rejection;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockRejection {
    /// There is not enough.
    #[error("{asked} units were asked for, {available} are available")]
    Insufficient {
        /// Units asked for.
        asked: u32,
        /// Units available.
        available: i64,
    },
    /// Fewer would be on hand than are promised.
    #[error("{on_hand} units would be on hand, {reserved} are reserved")]
    BelowReserved {
        /// Units that would be on hand.
        on_hand: i64,
        /// Units that are promised.
        reserved: i64,
    },
    /// A number that can't be.
    #[error("{0}")]
    InvalidQuantity(String),
    /// The order holds another quantity.
    #[error("the order holds {quantity} units already")]
    ReservationExists {
        /// Units it holds.
        quantity: u32,
    },
    /// Nothing is held for the order, or no more.
    #[error("no units are held for the order (never were, or they were released, confirmed or expired)")]
    ReservationNotOpen,
    /// The reservation is overdue.
    #[error("the reservation expired at {expired_at}")]
    ReservationExpired {
        /// When.
        expired_at: jiff::Timestamp,
    },
}

impl Rejection for StockRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "insufficient-stock",
            Self::BelowReserved { .. } => "stock-below-reserved",
            Self::InvalidQuantity(_) => "invalid-quantity",
            Self::ReservationExists { .. } => "reservation-exists",
            Self::ReservationNotOpen => "reservation-not-open",
            Self::ReservationExpired { .. } => "reservation-expired",
        }
    }
}
