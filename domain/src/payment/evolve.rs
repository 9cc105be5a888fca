//! What an event makes of a payment.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{DebtId, RefundId};

use super::event::{PaymentEvent, RefundRequested};
use super::state::{Opened, PaymentState, PaymentStatus, Refund, Void};

/// The state after an event.
pub fn evolve(mut state: PaymentState, event: &PaymentEvent) -> PaymentState {
    if let PaymentEvent::Requested(event) = event {
        match &mut state.opened {
            Some(payment) => {
                payment.status = PaymentStatus::Pending;
                payment.attempt = event.attempt;
                payment.provider_payment_id = None;
                payment.awaited = true;
            }
            None => {
                state.opened = Some(Opened {
                    order: event.order,
                    amount: event.amount,
                    status: PaymentStatus::Pending,
                    attempt: event.attempt,
                    abandoned: false,
                    held: false,
                    captured: 0,
                    provider_payment_id: None,
                    awaited: true,
                    authorized: BTreeSet::new(),
                    voids: BTreeMap::new(),
                    failed_voids: BTreeMap::new(),
                    asked: BTreeMap::new(),
                    failed: BTreeMap::new(),
                    settled: BTreeMap::new(),
                    debts: BTreeSet::new(),
                    done: BTreeMap::new(),
                    given: BTreeSet::new(),
                    let_go: BTreeSet::new(),
                    deferred: 0,
                });
            }
        }
        return state;
    }
    match &mut state.opened {
        Some(payment) => apply(payment, event),
        None => state.closed |= matches!(event, PaymentEvent::Cancelled(_)),
    }
    debug_assert_eq!(state.invariant(), Ok(()), "{event:?} breaks the books");
    state
}

pub(super) fn apply(payment: &mut Opened, event: &PaymentEvent) {
    match event {
        PaymentEvent::Accepted(event) => {
            payment.provider_payment_id = Some(event.provider_payment_id.clone());
        }
        PaymentEvent::Authorized(event) => {
            payment.held = true;
            payment.awaited = false;
            payment.authorized.insert(event.provider_payment_id.clone());
            payment.provider_payment_id = Some(event.provider_payment_id.clone());
            if !payment.abandoned {
                payment.status = PaymentStatus::Authorized;
            }
        }
        PaymentEvent::Failed(_) => {
            payment.awaited = false;
            if !payment.abandoned {
                payment.status = PaymentStatus::Failed;
            }
        }
        PaymentEvent::Captured(event) => {
            payment.held = false;
            payment.captured = event.amount.amount;
            payment.status = PaymentStatus::Captured;
        }
        PaymentEvent::Cancelled(_) => {
            payment.abandoned = true;
            // An attempt that failed stays failed, and money that was taken is refunded, not cancelled.
            if matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Authorized) {
                payment.status = PaymentStatus::Cancelled;
            }
        }
        _ => apply_giving_back(payment, event),
    }
}

/// Applies an event about money that goes back, and about holds that are let go.
fn apply_giving_back(payment: &mut Opened, event: &PaymentEvent) {
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
        PaymentEvent::DebtSettled(event) => {
            payment.debts.remove(&event.debt);
            let (refund, most) = (RefundId(event.debt.0), payment.not_given());
            let amount = payment.failed.get(&refund).map(|failed| failed.amount.min(most));
            payment.settled.extend(amount.map(|amount| (refund, amount)));
            note_given_back(payment);
        }
        PaymentEvent::DebtWithdrawn(event) => {
            payment.withdraw(event.debt);
            // A refund of its own asks for it, in the same append.
            payment.deferred -= payment.due();
        }
        PaymentEvent::RefundDeferred(event) => payment.deferred += event.amount.amount,
        PaymentEvent::Voided(event) => {
            // What is let go may be a second hold, beside the one that counts.
            let failed = payment.failed_voids.remove(&event.void);
            let gone = payment.voids.remove(&event.void).or(failed);
            payment.debts.remove(&DebtId(event.void.0));
            let gone = gone.map(|void| void.provider_payment_id);
            if gone == payment.provider_payment_id {
                payment.held = false;
            }
            payment.let_go.extend(gone);
        }
        PaymentEvent::RefundRequested(event) => {
            let retried = event.retries.and_then(|retried| payment.failed.get(&retried));
            let first = retried.map_or(event.refund, |retried| retried.first);
            let RefundRequested { attempt, requested_at, .. } = *event;
            let refund = Refund { amount: event.amount.amount, attempt, first, requested_at };
            payment.asked.insert(event.refund, refund);
            payment.debts.retain(|debt| event.retries.is_none_or(|retried| retried.0 != debt.0));
        }
        PaymentEvent::Refunded(event) => {
            let failed = payment.failed.remove(&event.refund);
            let given = payment.asked.remove(&event.refund).or(failed);
            payment.given.extend(given.map(|given| given.first));
            payment.debts.remove(&DebtId(event.refund.0));
            payment.settled.remove(&event.refund);
            payment.done.insert(event.refund, event.amount.amount);
            note_given_back(payment);
        }
        PaymentEvent::RefundDoubled(event) => {
            payment.asked.remove(&event.refund);
            payment.failed.remove(&event.refund);
            payment.debts.remove(&DebtId(event.refund.0));
            // It takes nothing of what the shop still has to give: that was counted before.
            payment.done.insert(event.refund, 0);
        }
        PaymentEvent::RefundFailed(event) => {
            let refund = payment.asked.remove(&event.refund);
            payment.failed.extend(refund.map(|refund| (event.refund, refund)));
            payment.debts.insert(DebtId(event.refund.0));
        }
        PaymentEvent::Requested(_)
        | PaymentEvent::CaptureFailed(_)
        | PaymentEvent::Accepted(_)
        | PaymentEvent::Authorized(_)
        | PaymentEvent::Failed(_)
        | PaymentEvent::Captured(_)
        | PaymentEvent::Cancelled(_) => {}
    }
}

/// The status of a payment of which something was given back.
fn note_given_back(payment: &mut Opened) {
    let given_back = payment.given_back();
    if given_back > 0 {
        let is_all = given_back == payment.captured;
        payment.status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
    }
}
