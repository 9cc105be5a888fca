//! Applies events to the state of a payment.

use std::collections::{BTreeMap, BTreeSet};

use crate::{DebtId, RefundId};

use super::event::{PaymentEvent, RefundRequested};
use super::state::{PaymentState, PaymentStatus, Refund, RequestedPayment, Void};

/// Returns the state after an event.
pub fn evolve(mut state: PaymentState, event: &PaymentEvent) -> PaymentState {
    if let PaymentEvent::Requested(event) = event {
        match &mut state.opened {
            Some(payment) => {
                payment.status = PaymentStatus::Pending;
                payment.attempt = event.attempt;
                payment.provider_payment_id = None;
                payment.is_answer_due = true;
            }
            None => {
                state.opened = Some(RequestedPayment {
                    order: event.order,
                    amount: event.amount,
                    status: PaymentStatus::Pending,
                    attempt: event.attempt,
                    is_abandoned: false,
                    is_held: false,
                    captured: 0,
                    provider_payment_id: None,
                    is_answer_due: true,
                    authorized: BTreeSet::new(),
                    voids: BTreeMap::new(),
                    failed_voids: BTreeMap::new(),
                    open_refunds: BTreeMap::new(),
                    failed_refunds: BTreeMap::new(),
                    settled_refunds: BTreeMap::new(),
                    debts: BTreeSet::new(),
                    completed_refunds: BTreeMap::new(),
                    succeeded_refunds: BTreeSet::new(),
                    released_holds: BTreeSet::new(),
                    deferred: 0,
                });
            }
        }
        return state;
    }
    match &mut state.opened {
        Some(payment) => apply(payment, event),
        None => state.is_closed |= matches!(event, PaymentEvent::Cancelled(_)),
    }
    debug_assert_eq!(state.invariant(), Ok(()), "{event:?} breaks the invariant of payments");
    state
}

/// Applies an event to a payment that was requested.
pub(super) fn apply(payment: &mut RequestedPayment, event: &PaymentEvent) {
    match event {
        PaymentEvent::Accepted(event) => {
            payment.provider_payment_id = Some(event.provider_payment_id.clone());
        }
        PaymentEvent::Authorized(event) => {
            payment.is_held = true;
            payment.is_answer_due = false;
            payment.authorized.insert(event.provider_payment_id.clone());
            payment.provider_payment_id = Some(event.provider_payment_id.clone());
            if !payment.is_abandoned {
                payment.status = PaymentStatus::Authorized;
            }
        }
        PaymentEvent::Failed(_) => {
            payment.is_answer_due = false;
            if !payment.is_abandoned {
                payment.status = PaymentStatus::Failed;
            }
        }
        PaymentEvent::Captured(event) => {
            payment.is_held = false;
            payment.captured = event.amount.amount;
            payment.status = PaymentStatus::Captured;
        }
        PaymentEvent::Cancelled(_) => {
            payment.is_abandoned = true;
            // A failed attempt stays failed, and captured money is refunded, not cancelled.
            if matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Authorized) {
                payment.status = PaymentStatus::Cancelled;
            }
        }
        _ => apply_void(payment, event),
    }
}

/// Applies an event about the release of a hold.
fn apply_void(payment: &mut RequestedPayment, event: &PaymentEvent) {
    match event {
        PaymentEvent::VoidRequested(event) => {
            payment.authorized.insert(event.provider_payment_id.clone());
            let void =
                Void { provider_payment_id: event.provider_payment_id.clone(), attempt: event.attempt };
            payment.voids.insert(event.void, void);
            payment.debts.retain(|debt| event.retries.is_none_or(|retried| retried.0 != debt.0));
        }
        PaymentEvent::VoidFailed(event) => {
            if let Some(void) = payment.voids.remove(&event.void) {
                payment.failed_voids.insert(event.void, void);
                payment.debts.insert(DebtId(event.void.0));
            }
        }
        PaymentEvent::Voided(event) => {
            // The released hold may be a second one, in addition to the hold of the current attempt.
            let failed = payment.failed_voids.remove(&event.void);
            let void = payment.voids.remove(&event.void).or(failed);
            payment.debts.remove(&DebtId(event.void.0));
            let released = void.map(|void| void.provider_payment_id);
            if released == payment.provider_payment_id {
                payment.is_held = false;
            }
            payment.released_holds.extend(released);
        }
        _ => apply_refund(payment, event),
    }
}

/// Applies an event about a refund, or about a debt.
fn apply_refund(payment: &mut RequestedPayment, event: &PaymentEvent) {
    match event {
        PaymentEvent::DebtSettled(event) => {
            payment.debts.remove(&event.debt);
            let refund = RefundId(event.debt.0);
            let amount_max = payment.unallocated();
            let amount = payment.failed_refunds.get(&refund).map(|failed| failed.amount.min(amount_max));
            payment.settled_refunds.extend(amount.map(|amount| (refund, amount)));
            note_refunded(payment);
        }
        PaymentEvent::DebtWithdrawn(event) => {
            payment.withdraw(event.debt);
            // Another event of the same append requests the deferred amount.
            payment.deferred -= payment.due();
        }
        PaymentEvent::RefundDeferred(event) => payment.deferred += event.amount.amount,
        PaymentEvent::RefundRequested(event) => {
            let retried = event.retries.and_then(|retried| payment.failed_refunds.get(&retried));
            let first = retried.map_or(event.refund, |retried| retried.first);
            let RefundRequested { attempt, requested_at, .. } = *event;
            let refund = Refund { amount: event.amount.amount, attempt, first, requested_at };
            payment.open_refunds.insert(event.refund, refund);
            payment.debts.retain(|debt| event.retries.is_none_or(|retried| retried.0 != debt.0));
        }
        PaymentEvent::Refunded(event) => {
            let failed = payment.failed_refunds.remove(&event.refund);
            let refund = payment.open_refunds.remove(&event.refund).or(failed);
            payment.succeeded_refunds.extend(refund.map(|refund| refund.first));
            payment.debts.remove(&DebtId(event.refund.0));
            payment.settled_refunds.remove(&event.refund);
            payment.completed_refunds.insert(event.refund, event.amount.amount);
            note_refunded(payment);
        }
        PaymentEvent::RefundDoubled(event) => {
            payment.open_refunds.remove(&event.refund);
            payment.failed_refunds.remove(&event.refund);
            payment.debts.remove(&DebtId(event.refund.0));
            // The amount was counted as refunded before, so it counts as 0 here.
            payment.completed_refunds.insert(event.refund, 0);
        }
        PaymentEvent::RefundFailed(event) => {
            let refund = payment.open_refunds.remove(&event.refund);
            payment.failed_refunds.extend(refund.map(|refund| (event.refund, refund)));
            payment.debts.insert(DebtId(event.refund.0));
        }
        PaymentEvent::Requested(_)
        | PaymentEvent::VoidRequested(_)
        | PaymentEvent::VoidFailed(_)
        | PaymentEvent::Voided(_)
        | PaymentEvent::CaptureFailed(_)
        | PaymentEvent::Accepted(_)
        | PaymentEvent::Authorized(_)
        | PaymentEvent::Failed(_)
        | PaymentEvent::Captured(_)
        | PaymentEvent::Cancelled(_) => {}
    }
}

/// Sets the status after an amount was refunded.
fn note_refunded(payment: &mut RequestedPayment) {
    let refunded = payment.refunded();
    if refunded > 0 {
        let is_all = refunded == payment.captured;
        payment.status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
    }
}
