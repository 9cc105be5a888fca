//! Commands to the stock of a SKU.

use jiff::Timestamp;
use souk_eventsourcing::CommandId;
use souk_eventsourcing::id::derive;
use uuid::Uuid;

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

/// Returns the id of a command that reserves, releases or confirms a reservation of a SKU; `None` for other
/// commands.
///
/// The id is derived from the kind of the command, the order and the SKU. So the command takes effect once
/// per reservation, even if several senders send it several times.
pub fn reservation_command_id(sku: &str, command: &StockCommand) -> Option<CommandId> {
    let (verb, order) = match command {
        StockCommand::Reserve { order, .. } => ("reserve", order),
        StockCommand::Release { order } => ("release", order),
        StockCommand::Confirm { order } => ("confirm", order),
        _ => return None,
    };
    // The derived id keeps the time part of the order's id, so that the log's index of ids stays compact.
    let origin = Uuid::parse_str(order.as_str()).unwrap_or(Uuid::nil());
    Some(CommandId(derive(origin, &[verb.as_bytes(), order.as_str().as_bytes(), sku.as_bytes()])))
}
