//! State of a payment: the facts that later decisions need.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::{DebtId, OrderId, RefundId, VoidId};

/// Status of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// The provider has not answered yet.
    Pending,
    /// The provider holds the money.
    Authorized,
    /// The money was captured.
    Captured,
    /// The last payment attempt failed.
    Failed,
    /// The payment was abandoned before any money was captured.
    Cancelled,
    /// A part of the money was refunded.
    PartiallyRefunded,
    /// All of the money was refunded.
    Refunded,
}

/// State of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentState {
    pub(super) opened: Option<RequestedPayment>,
    /// True if the payment can't be requested any more, although nobody ever requested it.
    #[serde(rename = "closed")]
    pub(super) is_closed: bool,
}

/// State of a payment that was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedPayment {
    pub(super) order: OrderId,
    pub(super) amount: Money,
    pub(super) status: PaymentStatus,
    /// Number of the current payment attempt.
    pub(super) attempt: u32,
    /// True once the payment is abandoned.
    #[serde(rename = "abandoned")]
    pub(super) is_abandoned: bool,
    /// True while the provider holds money for the payment.
    #[serde(rename = "held")]
    pub(super) is_held: bool,
    pub(super) captured: i64,
    pub(super) provider_payment_id: Option<String>,
    /// True while the provider owes an answer to the current attempt.
    #[serde(rename = "awaited")]
    pub(super) is_answer_due: bool,
    /// The provider's ids of all payments that it authorized, so that a repeated report is recognized. There
    /// is at most one per attempt.
    pub(super) authorized: BTreeSet<String>,
    /// Voids that have no answer yet.
    pub(super) voids: BTreeMap<VoidId, Void>,
    /// Voids that failed. A late success is still possible.
    pub(super) failed_voids: BTreeMap<VoidId, Void>,
    /// Refunds that have no answer yet.
    #[serde(rename = "asked")]
    pub(super) open_refunds: BTreeMap<RefundId, Refund>,
    /// Refunds that failed. A late success is still possible.
    #[serde(rename = "failed")]
    pub(super) failed_refunds: BTreeMap<RefundId, Refund>,
    /// Amounts of failed refunds that were settled in another way, such as a bank transfer.
    #[serde(rename = "settled")]
    pub(super) settled_refunds: BTreeMap<RefundId, i64>,
    /// Failed refunds and voids that staff has not handled. A refund among them holds its amount: no other
    /// refund can use it.
    pub(super) debts: BTreeSet<DebtId>,
    /// Amounts of completed refunds.
    #[serde(rename = "done")]
    pub(super) completed_refunds: BTreeMap<RefundId, i64>,
    /// Ids of the refunds of which any try succeeded. A refund that was retried is named by its first try.
    #[serde(rename = "given")]
    pub(super) succeeded_refunds: BTreeSet<RefundId>,
    /// The provider's ids of holds that were released.
    #[serde(rename = "letGo")]
    pub(super) released_holds: BTreeSet<String>,
    /// Minor units that cancellations and returns must refund, but that other refunds hold. They are
    /// requested when one of those refunds is withdrawn.
    pub(super) deferred: i64,
}

/// A request to release held money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Void {
    /// The provider's id of the payment that is held.
    pub(super) provider_payment_id: String,
    /// Number of the void attempt, from 1.
    pub(super) attempt: u32,
}

/// A refund that is not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    /// Amount in minor units.
    pub(super) amount: i64,
    /// Number of the refund attempt, from 1.
    pub(super) attempt: u32,
    /// The first try of this refund; its own id unless it is a retry.
    pub(super) first: RefundId,
    /// Time of the request; absent in older logs.
    pub(super) requested_at: Option<Timestamp>,
}

impl RequestedPayment {
    /// Returns the amount that a new refund can use: it is not refunded, not being refunded, and not owed for
    /// a failed refund.
    ///
    /// In older logs a failed refund did not hold its amount, so other refunds may have used it; the result
    /// is then 0.
    pub(super) fn refundable(&self) -> i64 {
        (self.unallocated() - self.owed()).max(0)
    }

    /// Returns the captured amount minus the refunds that are completed, settled or in progress. A retry
    /// counts as 0 if an earlier try of the same refund succeeded.
    pub(super) fn unallocated(&self) -> i64 {
        let open = self.open_refunds.values();
        let open = open.filter(|refund| !self.succeeded_refunds.contains(&refund.first));
        let in_progress: i64 = open.map(|refund| refund.amount).sum();
        self.captured - in_progress - self.refunded()
    }

    /// Returns the captured amount minus the refunds that are completed or settled. Refunds in progress are
    /// not subtracted.
    pub(super) fn not_refunded(&self) -> i64 {
        self.captured - self.refunded()
    }

    /// Returns the amount of the refunds that the provider completed or that were settled in another way.
    pub(super) fn refunded(&self) -> i64 {
        self.completed_refunds.values().sum::<i64>() + self.settled_refunds.values().sum::<i64>()
    }

    /// Returns the amount of failed refunds that staff has not handled.
    pub(super) fn owed(&self) -> i64 {
        let is_debt = |refund: &RefundId| self.debts.contains(&DebtId(refund.0));
        self.failed_refunds
            .iter()
            .filter(|(refund, _)| is_debt(refund))
            .map(|(_, failed)| failed.amount)
            .sum()
    }

    /// Returns true if a failure that the provider reports is about the current attempt. One attempt may
    /// create several payments at the provider; the failure of one does not fail another.
    pub(super) fn is_failure_of_current_attempt(
        &self,
        attempt: u32,
        provider_payment_id: Option<&str>,
    ) -> bool {
        match (self.provider_payment_id.as_deref(), provider_payment_id) {
            (Some(current), Some(named)) => current == named,
            _ => self.attempt == attempt,
        }
    }

    /// Returns true if an answer of the provider belongs to the current attempt. In older logs the provider
    /// used one id for all attempts.
    pub(super) fn is_current_attempt(&self, attempt: u32, provider_payment_id: Option<&str>) -> bool {
        let is_known =
            provider_payment_id.is_some() && self.provider_payment_id.as_deref() == provider_payment_id;
        is_known || self.attempt == attempt
    }

    /// Returns true for a refund that was requested before, also if it failed. Requesting it again changes
    /// nothing: a failed refund is owed, and retried under a new id.
    pub(super) fn is_requested(&self, refund: RefundId) -> bool {
        self.open_refunds.contains_key(&refund)
            || self.completed_refunds.contains_key(&refund)
            || self.failed_refunds.contains_key(&refund)
            || self.settled_refunds.contains_key(&refund)
    }

    /// Returns the open debt that is another try of the same refund.
    pub(super) fn debt_of(&self, first: RefundId) -> Option<DebtId> {
        let is_try =
            |debt: &&DebtId| self.failed_refunds.get(&RefundId(debt.0)).is_some_and(|of| of.first == first);
        self.debts.iter().find(is_try).copied()
    }

    /// Returns the open debt that is another try to release the same hold.
    pub(super) fn debt_of_hold(&self, provider_payment_id: &str) -> Option<DebtId> {
        let holds = |void: &Void| void.provider_payment_id == provider_payment_id;
        let is_try = |debt: &&DebtId| self.failed_voids.get(&VoidId(debt.0)).is_some_and(holds);
        self.debts.iter().find(is_try).copied()
    }

    /// Returns the part of the deferred amount that can be requested now, in minor units.
    pub(super) fn due(&self) -> i64 {
        self.deferred.min(self.refundable())
    }

    /// Removes a debt. If it is a refund, it no longer holds its amount.
    pub(super) fn withdraw(&mut self, debt: DebtId) {
        self.debts.remove(&debt);
    }
}

/// The refund that a report of the provider is about, if the report does not name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedRefund {
    /// No refund waits for a report.
    None,
    /// Only this refund is possible.
    One(RefundId),
    /// Several refunds are possible.
    Unclear,
}

impl PaymentState {
    /// Returns the status; `None` if nobody requested the payment.
    pub fn status(&self) -> Option<PaymentStatus> {
        self.opened.as_ref().map(|payment| payment.status)
    }

    /// Returns the order that the payment belongs to.
    pub fn order(&self) -> Option<OrderId> {
        self.opened.as_ref().map(|payment| payment.order)
    }

    /// Returns the captured amount minus the refunds that the provider completed, in minor units.
    pub fn net_captured(&self) -> i64 {
        self.opened
            .as_ref()
            .map_or(0, |payment| payment.captured - payment.completed_refunds.values().sum::<i64>())
    }

    /// Returns the failed refunds and voids that staff has not handled.
    pub fn debts(&self) -> Vec<DebtId> {
        self.opened.iter().flat_map(|payment| &payment.debts).copied().collect()
    }

    /// Returns the refund that the provider reports as completed at a time, if the report names none.
    ///
    /// Refunds that were requested later are excluded. Of several tries of one refund, the last try is
    /// returned. If another refund is completed already, the result is unclear, because the provider may
    /// repeat the report of that refund.
    pub fn reported_refund(&self, reported_at: Timestamp) -> ReportedRefund {
        let Some(payment) = &self.opened else { return ReportedRefund::None };
        let refunds = payment.open_refunds.iter().chain(&payment.failed_refunds);
        let is_possible =
            |(_, refund): &(&RefundId, &Refund)| refund.requested_at.is_none_or(|at| at <= reported_at);
        let refunds: Vec<_> = refunds.filter(is_possible).collect();
        let Some((last, _)) = refunds.iter().max_by_key(|(_, refund)| refund.attempt) else {
            return ReportedRefund::None;
        };
        let firsts: BTreeSet<RefundId> = refunds.iter().map(|(_, refund)| refund.first).collect();
        let is_one = firsts.len() == 1 && payment.completed_refunds.is_empty();
        if is_one { ReportedRefund::One(**last) } else { ReportedRefund::Unclear }
    }

    /// Returns true if the provider holds money that was neither captured nor released.
    pub fn is_held(&self) -> bool {
        self.opened.as_ref().is_some_and(|payment| payment.is_held)
    }

    /// Checks the invariant of payments. Production code, tests and models all use this function.
    pub fn invariant(&self) -> Result<(), String> {
        let Some(payment) = &self.opened else { return Ok(()) };
        let within = payment.unallocated() >= 0 && (0..=payment.amount.amount).contains(&payment.captured);
        let either = !(payment.is_held && payment.captured > 0);
        if within && either { Ok(()) } else { Err(format!("{payment:?}")) }
    }
}
