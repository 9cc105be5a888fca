//! Units on hand, and the open reservations.

use imbl::{HashMap, OrdSet};
use jiff::Timestamp;
use serde::Serialize;

use crate::names::OrderRef;

/// The state of a SKU's stock. Its maps share what copies of the state have in common: with fifty thousand
/// open reservations a copy costs as much as with none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockState {
    pub(super) counted: bool,
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) open: HashMap<OrderRef, Reservation>,
    /// The open ones again, the oldest first.
    pub(super) by_expiry: OrdSet<(Timestamp, OrderRef)>,
}

/// Units held for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Units.
    pub quantity: u32,
    /// Until when.
    pub expires_at: Timestamp,
}

impl StockState {
    /// Units on the shelf.
    pub fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// Units held for orders.
    pub fn reserved(&self) -> i64 {
        self.reserved
    }

    /// Units that can be reserved without letting overdue ones go.
    pub fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }

    /// The open reservation of an order.
    pub fn reservation(&self, order: &OrderRef) -> Option<&Reservation> {
        self.open.get(order)
    }

    /// Overdue reservations, the oldest first.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = (&OrderRef, &Reservation)> {
        let due = self.by_expiry.iter().take_while(move |(expires_at, _)| *expires_at <= now);
        due.filter_map(|(_, order)| self.open.get_key_value(order))
    }
}

/// What always holds of units on hand and units reserved, said once for production, tests and models.
pub fn is_covered(on_hand: i64, reserved: i64) -> bool {
    on_hand >= reserved && reserved >= 0
}
