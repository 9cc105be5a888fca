//! The document of a refund or void.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, OrderId, PaymentId};
use souk_eventsourcing::Timestamp;

/// A refund or void, and whether it is a debt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDebtRow {
    /// The payment.
    pub payment: PaymentId,
    /// The order that it pays.
    pub order: OrderId,
    /// The call that the provider was asked to make.
    pub kind: DebtKind,
    /// The amount.
    pub amount: Money,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The refusal, while nobody has seen to it.
    pub failure: Option<Failure>,
}

/// The call that the provider was asked to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DebtKind {
    /// To give taken money back.
    Refund,
    /// To let held money go.
    Void,
}

/// A refusal of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The provider's code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// The time at which it was recorded.
    pub at: Timestamp,
}
