//! The document of an open reservation.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Units that are held for an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRow {
    /// Of what.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// Until when.
    pub expires_at: Timestamp,
}
