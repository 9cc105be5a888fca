//! State of a SKU's stock: the units on hand and the open reservations.

use imbl::{HashMap, OrdSet};
use jiff::Timestamp;
use serde::Serialize;

use crate::OrderRef;

/// State of a SKU's stock. Its maps share their unchanged parts between clones: a clone with fifty thousand
/// open reservations costs as little as one with none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockState {
    pub(super) counted: bool,
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) open: HashMap<OrderRef, Reservation>,
    /// The open reservations by expiry time, oldest first.
    pub(super) by_expiry: OrdSet<(Timestamp, OrderRef)>,
}

/// Units held for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Number of units held.
    pub quantity: u32,
    /// Time at which the reservation expires.
    pub expires_at: Timestamp,
}

impl StockState {
    /// Returns the units on the shelf.
    pub fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// Returns the units held for orders.
    pub fn reserved(&self) -> i64 {
        self.reserved
    }

    /// Returns the units that can be reserved without expiring overdue reservations.
    pub fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }

    /// Returns the open reservation of an order.
    pub fn reservation(&self, order: &OrderRef) -> Option<&Reservation> {
        self.open.get(order)
    }

    /// Returns the overdue reservations, oldest first.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = (&OrderRef, &Reservation)> {
        let due = self.by_expiry.iter().take_while(move |(expires_at, _)| *expires_at <= now);
        due.filter_map(|(_, order)| self.open.get_key_value(order))
    }
}

/// Returns true if the invariant of stock holds. Production code, tests and models all use this function.
pub fn is_covered(on_hand: i64, reserved: i64) -> bool {
    on_hand >= reserved && reserved >= 0
}
