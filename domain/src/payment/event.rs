//! What can happen to a payment: its ledger, shaped like a real provider's.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::money::Money;
use crate::names::{OrderId, RefundId, VoidId};

/// A try to be paid began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// The order.
    pub order: OrderId,
    /// Its total.
    pub amount: Money,
    /// The provider's token.
    pub token: String,
    /// Which try it is, from 1.
    pub attempt: u32,
}

/// The provider will answer later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The order.
    pub order: OrderId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
}

/// The provider holds the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorized {
    /// The order.
    pub order: OrderId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// How much is held.
    pub amount: Money,
    /// Calls it took.
    pub attempts: u32,
}

/// A try came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The order.
    pub order: OrderId,
    /// The provider's code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// Calls it took.
    pub attempts: u32,
}

/// The money is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Captured {
    /// The order.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
}

/// The provider would not give what it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureFailed {
    /// The order.
    pub order: OrderId,
    /// The provider's code.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// Nobody wants it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// The order.
    pub order: OrderId,
}

/// Held money is to be let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidRequested {
    /// The order.
    pub order: OrderId,
    /// Which request it is.
    pub void: VoidId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// How much is held.
    pub amount: Money,
}

/// Held money was let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voided {
    /// The order.
    pub order: OrderId,
    /// Which request it answers.
    pub void: VoidId,
}

/// Money is to be given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequested {
    /// The order.
    pub order: OrderId,
    /// Which refund.
    pub refund: RefundId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// Money was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refunded {
    /// The order.
    pub order: OrderId,
    /// Which refund.
    pub refund: RefundId,
    /// How much.
    pub amount: Money,
    /// The provider's id of the refund.
    pub provider_refund_id: String,
}

/// Money was not given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundFailed {
    /// The order.
    pub order: OrderId,
    /// Which refund.
    pub refund: RefundId,
    /// The provider's code.
    pub code: String,
    /// In words.
    pub detail: String,
}

event_enum! {
    /// What happens to a payment.
    pub enum PaymentEvent {
        Requested = "payment.requested" v 1,
        Accepted = "payment.accepted" v 1,
        Authorized = "payment.authorized" v 1,
        Failed = "payment.failed" v 1,
        Captured = "payment.captured" v 1,
        CaptureFailed = "payment.capture-failed" v 1,
        Cancelled = "payment.cancelled" v 1,
        VoidRequested = "payment.void-requested" v 1,
        Voided = "payment.voided" v 1,
        RefundRequested = "payment.refund-requested" v 1,
        Refunded = "payment.refunded" v 1,
        RefundFailed = "payment.refund-failed" v 1,
    }
}
