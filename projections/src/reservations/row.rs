//! An open reservation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRow {
    /// Units held.
    pub quantity: u32,
    /// Until when.
    pub expires_at: Timestamp,
}
