//! What can be asked of the stock of a SKU.

use jiff::Timestamp;

use crate::names::OrderRef;

/// A command to the stock of one SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockCommand {
    /// A count: so many are there.
    Count {
        /// Units on hand.
        on_hand: i64,
    },
    /// A delivery, a loss, a return over the counter.
    Adjust {
        /// Units more or fewer, not 0.
        change: i64,
        /// Why.
        reason: String,
    },
    /// Holds units for an order until they are confirmed, released or expire.
    Reserve {
        /// For whom.
        order: OrderRef,
        /// Units.
        quantity: u32,
        /// Until when.
        expires_at: Timestamp,
    },
    /// Lets an order's units go.
    Release {
        /// Whose.
        order: OrderRef,
    },
    /// An order's units leave the shelf.
    Confirm {
        /// Whose.
        order: OrderRef,
    },
    /// Lets overdue reservations go, the oldest first, at most [`crate::limits::EXPIRE_MAX`].
    ExpireDue,
    /// Units of a cancelled or returned order come back.
    Restock {
        /// Whose they were.
        order: OrderRef,
        /// Units.
        quantity: u32,
    },
}
