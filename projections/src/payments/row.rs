//! The document of a payment.

use serde::{Deserialize, Serialize};
use souk_domain::payment::PaymentStatus;
use souk_domain::{Money, OrderId, RefundId};
use souk_eventsourcing::Timestamp;

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRow {
    /// What is paid.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The provider's id of it, once there is one.
    pub provider_payment_id: Option<String>,
    /// Calls to the provider, over all tries.
    pub attempts: u32,
    /// Calls that tries before the present one took.
    pub attempts_before: u32,
    /// Whether nobody wants it any more.
    pub abandoned: bool,
    /// Minor units that were taken.
    pub captured: i64,
    /// What is given back, or was to be.
    pub refunds: Vec<Refund>,
    /// When it was first asked for.
    pub requested_at: Timestamp,
    /// Of its stream.
    pub revision: u64,
}

/// Money that goes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// How far it is.
    pub status: RefundStatus,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// The provider has not answered.
    Pending,
    /// The money went back.
    Refunded,
    /// It did not.
    Failed,
}
