//! Row of the read model `payment_debts`.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, OrderId, PaymentId};
use souk_eventsourcing::Timestamp;

/// Refund or void. It is a debt while `failure` is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDebtRow {
    /// Payment that is refunded or voided.
    pub payment: PaymentId,
    /// Order of the payment.
    pub order: OrderId,
    /// Kind: refund or void.
    pub kind: DebtKind,
    /// Amount to refund or to release.
    pub amount: Money,
    /// Number of the attempt, from 1. A retry has a new id and the next number.
    pub attempt: u32,
    /// Why the provider declined the call; `None` if the refund or void is not a debt.
    pub failure: Option<Failure>,
}

/// Kind of call to the payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DebtKind {
    /// Return captured money to the buyer.
    Refund,
    /// Release money that is held but not captured.
    Void,
}

/// Why the payment provider declined a refund or void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The provider's code of the reason.
    pub code: String,
    /// The provider's explanation for people.
    pub detail: String,
    /// Time at which the payment recorded the failure.
    pub at: Timestamp,
}
