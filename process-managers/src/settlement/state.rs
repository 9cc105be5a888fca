//! What is to go back.

use serde::{Deserialize, Serialize};

use souk_domain::money::Money;
use souk_domain::names::{OrderId, RefundId, VoidId};

/// The state of a settlement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettlementState {
    pub(super) debt: Option<Debt>,
    /// True once the provider was asked.
    pub(super) asked: bool,
    /// Whether the provider answered.
    pub(super) answered: bool,
    /// True once the settlement has ended.
    pub(super) settled: bool,
}

/// Money that is to go back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Debt {
    pub(super) order: OrderId,
    pub(super) provider_payment_id: String,
    pub(super) amount: Money,
    pub(super) kind: DebtKind,
    pub(super) attempt: u32,
}

/// How it goes back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum DebtKind {
    /// It is held, and let go.
    Void(VoidId),
    /// It was taken, and given back.
    Refund(RefundId),
}
