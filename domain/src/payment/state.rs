//! What decisions need of a payment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::names::{DebtId, OrderId, RefundId, VoidId};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// The provider has not answered.
    Pending,
    /// The provider holds the money.
    Authorized,
    /// The money is ours.
    Captured,
    /// The last try came to nothing.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
    /// Some of it went back.
    PartiallyRefunded,
    /// All of it went back.
    Refunded,
}

/// The state of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentState {
    pub(super) opened: Option<Opened>,
    /// Whether it can't be asked for any more, though nobody ever did.
    pub(super) closed: bool,
}

/// The state of a payment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    pub(super) order: OrderId,
    pub(super) amount: Money,
    pub(super) status: PaymentStatus,
    /// The number of the present attempt.
    pub(super) attempt: u32,
    /// Whether nobody wants it any more.
    pub(super) abandoned: bool,
    /// Whether the provider holds money for it.
    pub(super) held: bool,
    pub(super) captured: i64,
    pub(super) provider_payment_id: Option<String>,
    /// Returns true if the provider still owes an answer to the present attempt.
    pub(super) awaited: bool,
    /// The provider's ids that were authorized, each one news just once; as many as attempts at most.
    pub(super) authorized: BTreeSet<String>,
    /// Requests to let held money go that have no answer.
    pub(super) voids: BTreeMap<VoidId, Void>,
    /// Voids that failed: a success may still come.
    pub(super) failed_voids: BTreeMap<VoidId, Void>,
    /// Refunds that are not done yet, by id.
    pub(super) asked: BTreeMap<RefundId, Refund>,
    /// Refunds that failed: a success may still come.
    pub(super) failed: BTreeMap<RefundId, Refund>,
    /// Failed refunds that were settled in another way, such as a bank transfer.
    pub(super) settled: BTreeMap<RefundId, i64>,
    /// Failed refunds and voids that nobody has seen to. A refund among them holds its amount: no other refund
    /// gives it back.
    pub(super) debts: BTreeSet<DebtId>,
    /// Refunds that are done.
    pub(super) done: BTreeMap<RefundId, i64>,
}

/// A request to let held money go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Void {
    /// The provider's id of what is held.
    pub(super) provider_payment_id: String,
    /// The number of the attempt, from 1.
    pub(super) attempt: u32,
}

/// A refund that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    /// Minor units.
    pub(super) amount: i64,
    /// The number of the attempt, from 1.
    pub(super) attempt: u32,
}

impl Opened {
    /// Returns the amount that a new refund can still give back: what is not given and not owed.
    ///
    /// In logs of before a refund that failed held nothing, and others could give its amount back as well.
    pub(super) fn left(&self) -> i64 {
        (self.not_given() - self.owed()).max(0)
    }

    /// Returns what was taken less what was given back or is being given back.
    pub(super) fn not_given(&self) -> i64 {
        let asked: i64 = self.asked.values().map(|refund| refund.amount).sum();
        self.captured - asked - self.given_back()
    }

    /// Returns what was given back, by the provider or in another way.
    pub(super) fn given_back(&self) -> i64 {
        self.done.values().sum::<i64>() + self.settled.values().sum::<i64>()
    }

    /// Refunds that failed and that nobody has seen to.
    pub(super) fn owed(&self) -> i64 {
        let is_debt = |refund: &RefundId| self.debts.contains(&DebtId(refund.0));
        self.failed.iter().filter(|(refund, _)| is_debt(refund)).map(|(_, failed)| failed.amount).sum()
    }

    /// Returns true if an answer of the provider belongs to the present attempt. In older logs the provider had
    /// one id for all attempts.
    pub(super) fn is_present(&self, attempt: u32, provider_payment_id: Option<&str>) -> bool {
        let is_known =
            provider_payment_id.is_some() && self.provider_payment_id.as_deref() == provider_payment_id;
        is_known || self.attempt == attempt
    }

    /// The amount, or what is left when that is less.
    pub(super) fn capped(&self, amount: Money) -> Money {
        Money { amount: amount.amount.min(self.left()), ..amount }
    }
}

impl PaymentState {
    /// Where it stands; none when nobody asked for it.
    pub fn status(&self) -> Option<PaymentStatus> {
        self.opened.as_ref().map(|payment| payment.status)
    }

    /// The order it pays.
    pub fn order(&self) -> Option<OrderId> {
        self.opened.as_ref().map(|payment| payment.order)
    }

    /// The money taken and not given back, in minor units.
    pub fn kept(&self) -> i64 {
        self.opened.as_ref().map_or(0, |payment| payment.captured - payment.done.values().sum::<i64>())
    }

    /// Refunds and voids that failed, and that nobody has seen to.
    pub fn debts(&self) -> Vec<DebtId> {
        self.opened.iter().flat_map(|payment| &payment.debts).copied().collect()
    }

    /// Whether the provider holds money that was neither taken nor let go.
    pub fn is_held(&self) -> bool {
        self.opened.as_ref().is_some_and(|payment| payment.held)
    }

    /// What always holds, said once for tests, models and production.
    pub fn invariant(&self) -> Result<(), String> {
        let Some(payment) = &self.opened else { return Ok(()) };
        let within = payment.not_given() >= 0 && (0..=payment.amount.amount).contains(&payment.captured);
        let either = !(payment.held && payment.captured > 0);
        if within && either { Ok(()) } else { Err(format!("{payment:?}")) }
    }
}
