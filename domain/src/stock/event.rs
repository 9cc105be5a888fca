//! Events of the stock of a SKU.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::OrderRef;

/// The stock was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Units on hand, as counted.
    pub on_hand: i64,
}

/// Units were added or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adjusted {
    /// Units added, or removed if negative.
    pub change: i64,
    /// Reason for the change.
    pub reason: String,
}

/// Units were reserved for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// Order that the units are held for.
    pub order: OrderRef,
    /// Number of units held.
    pub quantity: u32,
    /// Time at which the reservation expires.
    pub expires_at: Timestamp,
}

/// A reservation was released: its units are available again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Order that the units were held for.
    pub order: OrderRef,
    /// Units that are available again.
    pub quantity: u32,
}

/// A reservation was confirmed: its units left the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// Order that the units belong to.
    pub order: OrderRef,
    /// Units that left the shelf.
    pub quantity: u32,
}

/// A reservation was not confirmed in time: its units are available again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expired {
    /// Order that the units were held for.
    pub order: OrderRef,
    /// Units that are available again.
    pub quantity: u32,
}

/// Units of a cancelled or returned order are back on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restocked {
    /// Order that the units belonged to.
    pub order: OrderRef,
    /// Units that came back.
    pub quantity: u32,
}

event_enum! {
    /// Events of the stock of a SKU.
    pub enum StockEvent {
        Counted = "stock.counted" v 1,
        Adjusted = "stock.adjusted" v 1,
        Reserved = "stock.reserved" v 1,
        Released = "stock.released" v 1,
        Confirmed = "stock.confirmed" v 1,
        Expired = "stock.expired" v 1,
        Restocked = "stock.restocked" v 1,
    }
}
