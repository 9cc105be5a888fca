//! Row of the read model `payments`.

use serde::{Deserialize, Serialize};
use souk_domain::payment::PaymentStatus;
use souk_domain::{DebtId, Money, OrderId, RefundId};
use souk_eventsourcing::Timestamp;
use uuid::Uuid;

/// Payment of an order, with its refunds, voids and debts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRow {
    /// Order that is paid.
    pub order: OrderId,
    /// Amount of the payment.
    pub amount: Money,
    /// Status of the money.
    pub status: PaymentStatus,
    /// Id of the payment at the provider; `None` until the provider has given one.
    pub provider_payment_id: Option<String>,
    /// Number of calls to the provider, over all attempts to pay.
    pub attempts: u32,
    /// Number of calls to the provider before the current attempt to pay.
    pub attempts_before: u32,
    /// True if the payment was cancelled because the order no longer needs it.
    pub abandoned: bool,
    /// Captured amount, in minor units.
    pub captured: i64,
    /// Refunds in every state, oldest first.
    pub refunds: Vec<Refund>,
    /// Holds whose release was requested and is not yet confirmed.
    pub voids: Vec<Debt>,
    /// Refunds and voids that the provider declined, and that were not retried, settled or withdrawn since.
    pub debts: Vec<Debt>,
    /// Time at which the payment was first requested.
    pub requested_at: Timestamp,
    /// True if the order was cancelled or timed out.
    pub is_order_ended_early: bool,
    /// Last revision of the payment's stream.
    pub revision: u64,
}

/// Amount of a refund or void that the shop owes to the buyer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Debt {
    /// Id of the refund or void.
    pub id: DebtId,
    /// Amount to return or to release.
    pub amount: Money,
}

impl PaymentRow {
    /// Returns the sum of the failed refunds that are still debts, in minor units. Failed voids are not
    /// counted, because their money was never taken from the buyer.
    pub fn owed(&self) -> i64 {
        let is_void = |debt: &&Debt| self.voids.iter().any(|void| void.id == debt.id);
        self.debts.iter().filter(|debt| !is_void(debt)).map(|debt| debt.amount.amount).sum()
    }

    /// Removes the debt with this id, if there is one.
    pub(super) fn remove_debt(&mut self, id: Option<Uuid>) {
        self.debts.retain(|debt| Some(debt.id.0) != id);
    }

    /// Returns the captured amount minus all refunds that are done or pending, in minor units.
    pub(super) fn refundable(&self) -> i64 {
        let is_refunded = |first| {
            self.refunds.iter().any(|refund| refund.first == first && refund.status == RefundStatus::Refunded)
        };
        let pending = self
            .refunds
            .iter()
            .filter(|refund| refund.status == RefundStatus::Pending && !is_refunded(refund.first));
        let pending: i64 = pending.map(|refund| refund.amount.amount).sum();
        self.captured - pending - self.given_back()
    }

    /// Sets the time of each refund that the current event has completed.
    pub(super) fn set_refund_times(&mut self, at: Timestamp) {
        for refund in &mut self.refunds {
            if refund.given_back_at.is_none() && refund.given_back() > 0 {
                refund.given_back_at = Some(at);
            }
        }
    }

    /// Returns the amount that the buyer has received back, in minor units.
    pub(super) fn given_back(&self) -> i64 {
        self.refunds.iter().map(Refund::given_back).sum()
    }
}

/// Refund of a part of the captured amount, or of all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Id of the refund.
    pub id: RefundId,
    /// Requested amount.
    pub amount: Money,
    /// Reason for the refund, for people.
    pub reason: String,
    /// Status of the refund at the provider.
    pub status: RefundStatus,
    /// Amount that staff returned in another way after the provider had refused, in minor units.
    pub settled: i64,
    /// Time at which the buyer received the money, from the provider or in another way.
    pub given_back_at: Option<Timestamp>,
    /// First refund in a chain of retries. A refund that is not a retry names itself.
    pub first: RefundId,
}

impl Refund {
    /// Returns the amount that the buyer has received back, in minor units.
    pub(super) fn given_back(&self) -> i64 {
        if self.status == RefundStatus::Refunded { self.amount.amount } else { self.settled }
    }
}

/// Status of a refund at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// The provider has not answered.
    Pending,
    /// The provider returned the money to the buyer.
    Refunded,
    /// The provider refused the refund.
    Failed,
    /// The provider returned the money, although the buyer had already received it by a retry or in another
    /// way.
    Doubled,
}
