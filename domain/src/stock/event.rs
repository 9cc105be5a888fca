//! What can happen to the stock of a SKU.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::names::OrderRef;

/// It was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Units on hand now.
    pub on_hand: i64,
}

/// Units came or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adjusted {
    /// Units more or fewer.
    pub change: i64,
    /// Why.
    pub reason: String,
}

/// Units are held for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// For whom.
    pub order: OrderRef,
    /// Units.
    pub quantity: u32,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Held units are free again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Whose they were.
    pub order: OrderRef,
    /// Units.
    pub quantity: u32,
}

/// Held units left the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// Whose they are.
    pub order: OrderRef,
    /// Units.
    pub quantity: u32,
}

/// Held units are free again because nobody confirmed them in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expired {
    /// Whose they were.
    pub order: OrderRef,
    /// Units.
    pub quantity: u32,
}

/// Units of a cancelled or returned order are back on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restocked {
    /// Whose they were.
    pub order: OrderRef,
    /// Units.
    pub quantity: u32,
}

event_enum! {
    /// What happens to the stock of a SKU.
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
