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
    /// Amount to refund, or amount of the released hold.
    pub amount: Money,
    /// Number of the attempt, from 1. A retry under a new id has the next number.
    pub attempt: u32,
    /// Refusal of the provider; `None` if the refund or void is not a debt.
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

/// Refusal of the payment provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Code of the provider for the refusal.
    pub code: String,
    /// Text of the provider for people.
    pub detail: String,
    /// Time at which the refusal was recorded.
    pub at: Timestamp,
}
