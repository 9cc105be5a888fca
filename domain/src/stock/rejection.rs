//! Reasons why a command to stock is refused.

use souk_eventsourcing::Rejection;

use crate::problem::ProblemKind::Conflict;
use crate::problem::{ProblemEntry, PublicRejection};

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockRejection {
    /// Not enough units are available.
    #[error("{requested} units were requested, but only {available} are available")]
    Insufficient {
        /// Units requested.
        requested: u32,
        /// Units available.
        available: i64,
    },
    /// Fewer units would be on hand than are reserved.
    #[error("{on_hand} units would be on hand, but {reserved} are reserved")]
    BelowReserved {
        /// Units that would be on hand.
        on_hand: i64,
        /// Units that are reserved.
        reserved: i64,
    },
    /// The quantity is out of range. The text says what is allowed.
    #[error("{0}")]
    InvalidQuantity(String),
    /// The order already has an open reservation of another quantity.
    #[error("the order already has a reservation of {quantity} units")]
    ReservationExists {
        /// Units of that reservation.
        quantity: u32,
    },
    /// The order has no open reservation.
    #[error("the order has no open reservation: none was made, or it was released, confirmed or expired")]
    ReservationNotOpen,
    /// The reservation is overdue.
    #[error("the reservation expired at {expired_at}")]
    ReservationExpired {
        /// Time at which the reservation expired.
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

impl PublicRejection for StockRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new(
            "insufficient-stock",
            Conflict,
            "Not enough in stock",
            "Fewer units are available than the request needs.",
        ),
        ProblemEntry::new(
            "stock-below-reserved",
            Conflict,
            "More units are reserved than would be in stock",
            "Release reservations first, or correct the count.",
        ),
        ProblemEntry::new(
            "reservation-exists",
            Conflict,
            "The order has a reservation of another quantity",
            "Release that reservation first.",
        ),
        ProblemEntry::new(
            "reservation-not-open",
            Conflict,
            "The order has no open reservation",
            "Either nothing was reserved, or the reservation was released, was confirmed or has expired. Reserve again.",
        ),
        ProblemEntry::new("reservation-expired", Conflict, "The reservation has expired", "Reserve again."),
    ];

    const FIELD_POINTERS: &'static [(&'static str, &'static str)] = &[("invalid-quantity", "/quantity")];
}
