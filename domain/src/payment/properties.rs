//! Compares a payment with a simple model of the money that comes in and goes out, like a cash register. A
//! second property checks that each answer of the provider counts once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use souk_eventsourcing::testkit::{context, noon};
use uuid::Uuid;

use super::tests::{
    ORDER, pounds, record_authorized, record_authorized_of, record_captured, record_failed, record_failed_of,
    request,
};
use super::*;
use crate::history::History;
use crate::{DebtId, RefundId, VoidId};

/// Returns any command of a payment. The ids 0 to 2 are those of requested refunds. The other ids are those
/// that retries and refunds of an abandoned payment derive from their command.
fn any_command() -> impl Strategy<Value = PaymentCommand> {
    let refund_id = prop_oneof![
        (0..3_u128).prop_map(|n| RefundId(Uuid::from_u128(n))),
        (10..40_u128).prop_map(|n| RefundId(context(n, noon()).derived_id("refund"))),
    ];
    prop_oneof![
        Just(request("tok_ok")),
        Just(PaymentCommand::RecordAccepted { attempt: 1, provider_payment_id: "p".into() }),
        Just(record_authorized_of(2, "q")),
        Just(record_failed_of(2, None)),
        Just(record_authorized()),
        Just(record_failed()),
        Just(record_captured()),
        Just(PaymentCommand::RecordCaptureFailed {
            provider_payment_id: "p".into(),
            code: "no".into(),
            detail: String::new()
        }),
        Just(PaymentCommand::Abandon { order: ORDER }),
        (1..70_u128).prop_map(|n| PaymentCommand::RecordVoided {
            void: VoidId(context(n, noon()).derived_id("void"))
        }),
        (0..3_u128, prop::option::of(1..7_i64), any::<bool>()).prop_map(|(n, amount, capped)| {
            let amount = amount.map(pounds);
            let refund = RefundId(Uuid::from_u128(n));
            PaymentCommand::Refund { refund, amount, capped, reason: String::new() }
        }),
        refund_id
            .clone()
            .prop_map(|refund| PaymentCommand::RecordRefunded { refund, provider_refund_id: "r".into() }),
        refund_id.clone().prop_map(|refund| PaymentCommand::RetryDebt { debt: DebtId(refund.0) }),
        refund_id.clone().prop_map(|refund| {
            PaymentCommand::SettleDebt { debt: DebtId(refund.0), reason: String::new() }
        }),
        refund_id.clone().prop_map(|refund| {
            PaymentCommand::WithdrawDebt { debt: DebtId(refund.0), reason: String::new() }
        }),
        (1..70_u128).prop_map(|n| {
            let void = VoidId(context(n, noon()).derived_id("void"));
            PaymentCommand::RecordVoidFailed { void, code: "no".into(), detail: String::new() }
        }),
        refund_id.prop_map(|refund| PaymentCommand::RecordRefundFailed {
            refund,
            code: "no".into(),
            detail: String::new()
        }),
    ]
}

/// Try of a refund in the model.
struct RefundTry {
    /// First try of the same refund.
    first: RefundId,
    amount: i64,
    /// True if the money was paid out, or if the provider has not responded yet.
    is_paid_out: bool,
}

/// Returns the money that was paid out or is being paid out. Each refund counts once, however often it was
/// tried.
fn paid_out(tries: &BTreeMap<RefundId, RefundTry>) -> i64 {
    let out = tries.values().filter(|refund| refund.is_paid_out);
    out.map(|refund| (refund.first, refund.amount)).collect::<BTreeMap<_, _>>().values().sum()
}

/// Applies an event to the model.
fn apply(tries: &mut BTreeMap<RefundId, RefundTry>, event: &PaymentEvent) {
    match event {
        PaymentEvent::RefundRequested(event) => {
            let retried = event.retries.and_then(|retried| tries.get(&retried));
            let first = retried.map_or(event.refund, |retried| retried.first);
            tries.insert(event.refund, RefundTry { first, amount: event.amount.amount, is_paid_out: true });
        }
        PaymentEvent::RefundFailed(event) => tries.get_mut(&event.refund).unwrap().is_paid_out = false,
        PaymentEvent::Refunded(event) => tries.get_mut(&event.refund).unwrap().is_paid_out = true,
        _ => {}
    }
}

proptest! {
    /// The money paid out never exceeds the money received, for all commands in any order. After the payment
    /// was abandoned, all its money is refunded, is being refunded, was paid back in another way, or is owed,
    /// until a debt is withdrawn.
    // Proves: payments.money-out-within-money-in
    #[test]
    fn money_out_never_exceeds_money_in(commands in prop::collection::vec(any_command(), 1..60)) {
        let mut state = PaymentState::default();
        let mut captured = 0;
        let mut tries = BTreeMap::new();
        let mut abandoned = false;
        for (n, command) in (10..).zip(commands) {
            for event in Payment::decide(&state, &command, &context(n, noon())).unwrap_or_default() {
                match &event {
                    PaymentEvent::Captured(event) => captured += event.amount.amount,
                    PaymentEvent::DebtWithdrawn(_) => abandoned = false,
                    PaymentEvent::Cancelled(_) => abandoned = true,
                    _ => {}
                }
                apply(&mut tries, &event);
                state = Payment::evolve(state, &event);
                prop_assert!(state.invariant().is_ok(), "{:?}", state.invariant());
            }
            let Some(payment) = &state.opened else { continue };
            let paid_out = paid_out(&tries) + payment.settled_refunds.values().sum::<i64>();
            prop_assert!(paid_out <= captured, "{paid_out} of {captured}");
            if abandoned {
                prop_assert!(paid_out + payment.owed() >= captured);
            }
        }
    }

    /// Money is captured once, and only after its authorization. Each refund is refunded once, however often
    /// it was tried; every other success is recorded as doubled. An answer that arrives again changes nothing.
    // Proves: payments.answers-count-once
    // Proves: payments.doubled-refund
    #[test]
    fn each_answer_of_the_provider_counts_once(
        commands in prop::collection::vec((any_command(), prop::option::of((0..3_u8, 0..3_usize))), 1..60),
    ) {
        let mut payment = History::<Payment>::default();
        let mut authorized = 0;
        let mut captured = 0;
        let mut tries = Vec::new();
        let mut firsts = BTreeMap::new();
        let mut refunded = BTreeSet::new();
        let mut completed = BTreeSet::new();
        let paid = [request("tok_ok"), record_authorized(), record_captured()].map(|command| (command, None));
        for (n, (command, answer)) in (10..).zip(paid.into_iter().chain(commands)) {
            let answer = answer.and_then(|(kind, place)| Some(about(*tries.get(place)?, kind)));
            let command = answer.unwrap_or(command);
            let decided = payment.send(n, &command);
            let is_accepted = decided.is_ok();
            for event in decided.unwrap_or_default() {
                match event {
                    PaymentEvent::Authorized(event) => authorized = event.amount.amount,
                    PaymentEvent::Captured(event) => captured += event.amount.amount,
                    PaymentEvent::RefundRequested(event) => {
                        let first = event.retries.map_or(event.refund, |retried| firsts[&retried]);
                        firsts.insert(event.refund, first);
                        tries.push(event.refund);
                    }
                    PaymentEvent::Refunded(event) => {
                        prop_assert!(refunded.insert(firsts[&event.refund]), "refunded twice");
                        prop_assert!(completed.insert(event.refund));
                    }
                    PaymentEvent::RefundDoubled(event) => prop_assert!(completed.insert(event.refund)),
                    _ => {}
                }
            }
            prop_assert!(captured <= authorized, "{} of {}", captured, authorized);
            if is_accepted && is_answer(&command) {
                let repeated = Payment::decide(&payment.state, &command, &context(n + 1_000, noon()));
                prop_assert_eq!(repeated, Ok(Vec::new()), "{:?}", command);
            }
        }
        prop_assert_eq!(payment.state_after_restart(), payment.state);
    }
}

/// Returns a success, a failure or a retry of a requested refund, which random ids seldom hit.
fn about(refund: RefundId, kind: u8) -> PaymentCommand {
    match kind {
        0 => PaymentCommand::RecordRefunded { refund, provider_refund_id: "r".into() },
        1 => PaymentCommand::RecordRefundFailed { refund, code: "no".into(), detail: String::new() },
        _ => PaymentCommand::RetryDebt { debt: DebtId(refund.0) },
    }
}

/// Returns true for an answer of the provider that the payment can recognize when it arrives again.
fn is_answer(command: &PaymentCommand) -> bool {
    let requests = ["request", "abandon", "retry-debt", "settle-debt", "withdraw-debt", "refund"];
    !requests.contains(&command.name()) && command.name() != "capture-failed"
}
