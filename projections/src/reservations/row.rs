//! Row of the read model `reservations`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Open reservation: units of a SKU that are held for an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRow {
    /// SKU of the reserved units.
    pub sku: String,
    /// Number of reserved units.
    pub quantity: u32,
    /// Time at which the reservation expires.
    pub expires_at: Timestamp,
}
