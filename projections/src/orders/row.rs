//! An order as it is shown, without its lines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_domain::order::OrderStatus;
use souk_domain::order::event::{Charge, Reason};
use souk_domain::{Address, CustomerId, Money, Sku};
use souk_eventsourcing::Personal;

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    /// Of the stream.
    pub revision: u64,
    /// Where it stands.
    pub status: OrderStatus,
    /// For people.
    pub code: String,
    /// Who bought; none for a guest.
    pub customer: Option<CustomerId>,
    /// A guest's e-mail address.
    pub email: Option<Personal<String>>,
    /// Where the goods go.
    pub shipping_address: Option<Address>,
    /// Shipping, tax, discounts.
    pub charges: Vec<Charge>,
    /// What it costs.
    pub total: Money,
    /// Units of all lines.
    pub units: u64,
    /// Where the reservations of its lines stand, but for those in `failed_skus`.
    pub reservation: ReservationStatus,
    /// SKUs that there was not enough of.
    pub failed_skus: Vec<Sku>,
    /// Why it ended early.
    pub reason: Option<Reason>,
    /// What happened to it.
    pub timeline: Vec<TimelineEntry>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was confirmed.
    pub confirmed_at: Option<Timestamp>,
}

/// Where the reservation of a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReservationStatus {
    /// Asked for.
    Pending,
    /// Held.
    Reserved,
    /// The buyer's.
    Confirmed,
    /// Let go, or put back.
    Released,
    /// There was not enough.
    Failed,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// The event's type.
    pub event: String,
    /// In words.
    pub detail: String,
}
