//! What can happen to a payment: its ledger, shaped like a real provider's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::money::Money;
use crate::names::{DebtId, OrderId, RefundId, VoidId};
use crate::personal_text::PersonalText;

/// An attempt to be paid began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// The order.
    pub order: OrderId,
    /// Its total.
    pub amount: Money,
    /// The provider's token.
    pub token: PersonalText,
    /// The number of the attempt, from 1.
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

/// The present attempt came to nothing.
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
    /// The number of the attempt, from 1.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// The failed void that is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<VoidId>,
}

/// The provider would not let held money go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidFailed {
    /// The order.
    pub order: OrderId,
    /// The request that it answers.
    pub void: VoidId,
    /// The provider's code.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// A refund that failed is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DebtWithdrawn {
    /// The order.
    pub order: OrderId,
    /// The failed refund or void.
    pub debt: DebtId,
    /// The reason.
    pub reason: String,
}

/// A refund or void that failed was settled in another way: what it was to give back counts as given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DebtSettled {
    /// The order.
    pub order: OrderId,
    /// The failed refund or void.
    pub debt: DebtId,
    /// The way it was settled.
    pub reason: String,
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
    /// The number of the attempt, from 1.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// The failed refund that is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<RefundId>,
    /// The time of the request; none in older logs. A report of the provider that was made before is not about this
    /// refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
}

/// A cancellation or return could not ask for all that it gives back, since other refunds hold the rest. The rest
/// is asked for as soon as one of those is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundDeferred {
    /// The order.
    pub order: OrderId,
    /// The refund of the cancellation or return.
    pub refund: RefundId,
    /// The part that other refunds hold.
    pub amount: Money,
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

/// The provider gave the money of a refund back although the buyer already had it: another try of the same refund
/// was done, or staff had settled it in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundDoubled {
    /// The order.
    pub order: OrderId,
    /// The refund that the provider reported.
    pub refund: RefundId,
    /// The amount that the buyer has once too often.
    pub amount: Money,
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

/// The attempt of refunds and voids that were recorded without one.
fn first_attempt() -> u32 {
    1
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
        VoidFailed = "payment.void-failed" v 1,
        RefundRequested = "payment.refund-requested" v 1,
        RefundDeferred = "payment.refund-deferred" v 1,
        Refunded = "payment.refunded" v 1,
        RefundDoubled = "payment.refund-doubled" v 1,
        RefundFailed = "payment.refund-failed" v 1,
        DebtSettled = "payment.debt-settled" v 1,
        DebtWithdrawn = "payment.debt-withdrawn" v 1,
    }
}
