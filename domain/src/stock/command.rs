//! Commands to the stock of a SKU.

use jiff::Timestamp;

use crate::OrderRef;

/// A command to the stock of one SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockCommand {
    /// Sets the units on hand to the result of a count.
    Count {
        /// Units on hand, as counted.
        on_hand: i64,
    },
    /// Adds or removes units, for example after a delivery, a loss, or a return at the counter.
    Adjust {
        /// Units to add, or to remove if negative; not 0.
        change: i64,
        /// Reason for the change.
        reason: String,
    },
    /// Holds units for an order until the reservation is confirmed, released or expired.
    Reserve {
        /// Order that the units are held for.
        order: OrderRef,
        /// Units to hold.
        quantity: u32,
        /// Time at which the reservation expires.
        expires_at: Timestamp,
    },
    /// Releases the reservation of an order.
    Release {
        /// Order whose reservation is released.
        order: OrderRef,
    },
    /// Confirms the reservation of an order: the units leave the shelf.
    Confirm {
        /// Order whose reservation is confirmed.
        order: OrderRef,
    },
    /// Expires overdue reservations, oldest first, at most [`crate::limits::EXPIRE_MAX`] at once.
    ExpireDue,
    /// Puts units of a cancelled or returned order back on the shelf.
    Restock {
        /// Order that the units belonged to.
        order: OrderRef,
        /// Units that come back.
        quantity: u32,
    },
}
