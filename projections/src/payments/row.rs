//! A payment as it is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_domain::payment::PaymentStatus;
use souk_domain::{Money, OrderId, RefundId};

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRow {
    /// Of the stream.
    pub revision: u64,
    /// The order.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The provider's id.
    pub provider_payment_id: Option<String>,
    /// Calls that the provider's last answer took.
    pub attempts: u32,
    /// Whether money was taken.
    pub captured: bool,
    /// What goes or went back.
    pub refunds: Vec<RefundRow>,
    /// When it was first asked for.
    pub created_at: Timestamp,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRow {
    /// Its id.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub status: RefundStatus,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// Asked for.
    Pending,
    /// Done.
    Done,
    /// The provider would not.
    Failed,
}
