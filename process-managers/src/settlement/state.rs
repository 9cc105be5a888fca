//! State of a settlement: the void or refund that it carries out, and its progress.

use serde::{Deserialize, Serialize};

use souk_domain::money::Money;
use souk_domain::{OrderId, RefundId, VoidId};

/// State of a settlement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettlementState {
    pub(super) debt: Option<Debt>,
    /// True once the provider was called.
    #[serde(rename = "asked")]
    pub(super) is_provider_called: bool,
    /// True once the provider has answered.
    #[serde(rename = "answered")]
    pub(super) is_answered: bool,
    /// True once the settlement has ended.
    #[serde(rename = "settled")]
    pub(super) is_ended: bool,
}

impl SettlementState {
    /// Returns true once the settlement has ended.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }
}

/// Money to return to the buyer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Debt {
    pub(super) order: OrderId,
    pub(super) provider_payment_id: String,
    pub(super) amount: Money,
    pub(super) kind: DebtKind,
    pub(super) attempt: u32,
}

/// Way in which the money is returned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum DebtKind {
    /// The hold on the money is released.
    Void(VoidId),
    /// Captured money is refunded.
    Refund(RefundId),
}
