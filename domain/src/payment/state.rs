//! What decisions need of a payment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
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
    /// First tries of the refunds that were given back at any of their tries.
    pub(super) given: BTreeSet<RefundId>,
    /// The provider's ids of holds that were let go.
    pub(super) let_go: BTreeSet<String>,
    /// Minor units that cancellations and returns give back and that other refunds hold: they are asked for when
    /// one of those is withdrawn.
    pub(super) deferred: i64,
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
    /// The refund that was tried first; the refund itself unless it is another try.
    pub(super) first: RefundId,
    /// The time of the request; none in older logs.
    pub(super) requested_at: Option<Timestamp>,
}

impl Opened {
    /// Returns the amount that a new refund can still give back: what is not given and not owed.
    ///
    /// In logs of before a refund that failed held nothing, and others could give its amount back as well.
    pub(super) fn left(&self) -> i64 {
        (self.not_given() - self.owed()).max(0)
    }

    /// Returns what was taken less what was given back or is being given back. A try of a refund that an earlier try
    /// gave back holds nothing.
    pub(super) fn not_given(&self) -> i64 {
        let asked = self.asked.values().filter(|refund| !self.given.contains(&refund.first));
        let asked: i64 = asked.map(|refund| refund.amount).sum();
        self.captured - asked - self.given_back()
    }

    /// Returns what was taken and not given back, refunds under way included.
    pub(super) fn not_given_back(&self) -> i64 {
        self.captured - self.given_back()
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

    /// Returns true if a failure that the provider reports is one of the present attempt. An attempt may end in
    /// several payments of the provider: one that failed does not fail another.
    pub(super) fn is_failure_of_present(&self, attempt: u32, provider_payment_id: Option<&str>) -> bool {
        match (self.provider_payment_id.as_deref(), provider_payment_id) {
            (Some(present), Some(named)) => present == named,
            _ => self.attempt == attempt,
        }
    }

    /// Returns true if an answer of the provider belongs to the present attempt. In older logs the provider had
    /// one id for all attempts.
    pub(super) fn is_present(&self, attempt: u32, provider_payment_id: Option<&str>) -> bool {
        let is_known =
            provider_payment_id.is_some() && self.provider_payment_id.as_deref() == provider_payment_id;
        is_known || self.attempt == attempt
    }

    /// Returns true for a refund that waits for its answer or is done: a repeat of its request changes nothing.
    pub(super) fn is_requested(&self, refund: RefundId) -> bool {
        self.asked.contains_key(&refund) || self.done.contains_key(&refund)
    }

    /// Returns the open debt that is another try of the same refund.
    pub(super) fn debt_of(&self, first: RefundId) -> Option<DebtId> {
        let is_try = |debt: &&DebtId| self.failed.get(&RefundId(debt.0)).is_some_and(|of| of.first == first);
        self.debts.iter().find(is_try).copied()
    }

    /// Returns the open debt that is another try to let the same hold go.
    pub(super) fn debt_of_hold(&self, provider_payment_id: &str) -> Option<DebtId> {
        let holds = |void: &Void| void.provider_payment_id == provider_payment_id;
        let is_try = |debt: &&DebtId| self.failed_voids.get(&VoidId(debt.0)).is_some_and(holds);
        self.debts.iter().find(is_try).copied()
    }

    /// Returns the part of what was deferred that can be asked for, in minor units.
    pub(super) fn due(&self) -> i64 {
        self.deferred.min(self.left())
    }

    /// The debt is no more, and the refund that it is gives nothing back.
    pub(super) fn withdraw(&mut self, debt: DebtId) {
        self.debts.remove(&debt);
    }
}

/// The refund that a report of the provider means when it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeantRefund {
    /// No refund waits for a report.
    None,
    /// It can only be this one.
    One(RefundId),
    /// It may be one of several.
    Unclear,
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

    /// The refund that the provider reports as done at a moment, naming none. Refunds requested later are not meant. A
    /// refund that is done already may be reported once more, so that beside it no other refund can be told for sure.
    /// Of several tries of one refund, the last one is meant.
    pub fn meant_refund(&self, reported_at: Timestamp) -> MeantRefund {
        let Some(payment) = &self.opened else { return MeantRefund::None };
        let refunds = payment.asked.iter().chain(&payment.failed);
        let is_meant =
            |(_, refund): &(&RefundId, &Refund)| refund.requested_at.is_none_or(|at| at <= reported_at);
        let refunds: Vec<_> = refunds.filter(is_meant).collect();
        let Some((last, _)) = refunds.iter().max_by_key(|(_, refund)| refund.attempt) else {
            return MeantRefund::None;
        };
        let firsts: BTreeSet<RefundId> = refunds.iter().map(|(_, refund)| refund.first).collect();
        let is_one = firsts.len() == 1 && payment.done.is_empty();
        if is_one { MeantRefund::One(**last) } else { MeantRefund::Unclear }
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
