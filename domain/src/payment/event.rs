//! Events of a payment: the requests to the payment provider, their results, and the decisions of staff about
//! failed refunds and voids.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::money::Money;
use crate::personal_text::PersonalText;
use crate::{DebtId, OrderId, RefundId, VoidId};

/// A payment attempt began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Total of the order.
    pub amount: Money,
    /// The provider's token for the buyer's means of payment.
    pub token: PersonalText,
    /// Number of the payment attempt, from 1.
    pub attempt: u32,
}

/// The provider accepted the request and will report the result by webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
}

/// The provider holds the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorized {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// Amount that is held.
    pub amount: Money,
    /// Number of calls to the provider in this attempt; 1 if a webhook reported the result.
    pub attempts: u32,
}

/// The current payment attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// The provider's reason code.
    pub code: String,
    /// The provider's reason as text.
    pub detail: String,
    /// Number of calls to the provider in this attempt; 1 if a webhook reported the result.
    pub attempts: u32,
}

/// The money was captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Captured {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Amount that was captured.
    pub amount: Money,
}

/// The provider refused to capture the money that it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureFailed {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// The provider's reason code.
    pub code: String,
    /// The provider's reason as text.
    pub detail: String,
}

/// The payment was cancelled, because the order no longer needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// Order that the payment belongs to.
    pub order: OrderId,
}

/// The release of held money was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidRequested {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Id of the void.
    pub void: VoidId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// Amount that is held.
    pub amount: Money,
    /// Number of the void attempt, from 1.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// Failed void that this one retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<VoidId>,
}

/// The provider refused to release the held money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidFailed {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Void that failed.
    pub void: VoidId,
    /// The provider's reason code.
    pub code: String,
    /// The provider's reason as text.
    pub detail: String,
}

/// A failed refund or void was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DebtWithdrawn {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Id of the failed refund or void.
    pub debt: DebtId,
    /// Reason for the withdrawal.
    pub reason: String,
}

/// A failed refund or void was settled in another way. The amount of a settled refund counts as refunded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DebtSettled {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Id of the failed refund or void.
    pub debt: DebtId,
    /// Description of the other way, as staff entered it.
    pub reason: String,
}

/// The held money was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voided {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Void that succeeded.
    pub void: VoidId,
}

/// A refund was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequested {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Id of the refund.
    pub refund: RefundId,
    /// The provider's id of the payment.
    pub provider_payment_id: String,
    /// Amount to return to the buyer.
    pub amount: Money,
    /// Reason for the refund.
    pub reason: String,
    /// Number of the refund attempt, from 1.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// Failed refund that this one retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<RefundId>,
    /// Time of the request; absent in older logs. A report of the provider from before this time is about
    /// another refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
}

/// A cancellation or return could not request all of its refund, because other refunds hold the rest. The
/// rest is requested as soon as one of those refunds is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundDeferred {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Refund of the cancellation or return.
    pub refund: RefundId,
    /// Amount that other refunds hold.
    pub amount: Money,
}

/// The money was refunded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refunded {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Refund that succeeded.
    pub refund: RefundId,
    /// Amount that was refunded.
    pub amount: Money,
    /// The provider's id of the refund.
    pub provider_refund_id: String,
}

/// The provider refunded money that the buyer already had: another try of the same refund had succeeded, or
/// staff had settled it in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundDoubled {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Refund that the provider reported.
    pub refund: RefundId,
    /// Amount that the buyer received twice.
    pub amount: Money,
}

/// The provider refused the refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundFailed {
    /// Order that the payment belongs to.
    pub order: OrderId,
    /// Refund that failed.
    pub refund: RefundId,
    /// The provider's reason code.
    pub code: String,
    /// The provider's reason as text.
    pub detail: String,
}

/// Returns the attempt number of refunds and voids that were recorded without an attempt number.
fn first_attempt() -> u32 {
    1
}

event_enum! {
    /// Events of a payment.
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
