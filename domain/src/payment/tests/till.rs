//! A payment against a plain model: a till.

use std::collections::BTreeMap;

use super::*;

fn any_command() -> impl Strategy<Value = PaymentCommand> {
    let refund_id = prop_oneof![
        (0..3_u128).prop_map(|n| RefundId(Uuid::from_u128(n))),
        (10..40_u128).prop_map(|n| RefundId(context(n, noon()).creates("refund"))),
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
        (1..70_u128)
            .prop_map(|n| PaymentCommand::RecordVoided { void: VoidId(context(n, noon()).creates("void")) }),
        // Whoever asks for a refund derives its id from a command of its own.
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
            let void = VoidId(context(n, noon()).creates("void"));
            PaymentCommand::RecordVoidFailed { void, code: "no".into(), detail: String::new() }
        }),
        refund_id.prop_map(|refund| PaymentCommand::RecordRefundFailed {
            refund,
            code: "no".into(),
            detail: String::new()
        }),
    ]
}

/// A try of a refund, as the model knows it.
struct Try {
    first: RefundId,
    amount: i64,
    is_out: bool,
}

/// The money that went out, or is on its way: each refund once, however often it was tried.
fn gone(tries: &BTreeMap<RefundId, Try>) -> i64 {
    let out = tries.values().filter(|of| of.is_out);
    out.map(|of| (of.first, of.amount)).collect::<BTreeMap<_, _>>().values().sum()
}

fn note(tries: &mut BTreeMap<RefundId, Try>, event: &PaymentEvent) {
    match event {
        PaymentEvent::RefundRequested(event) => {
            let retried = event.retries.and_then(|retried| tries.get(&retried));
            let first = retried.map_or(event.refund, |retried| retried.first);
            tries.insert(event.refund, Try { first, amount: event.amount.amount, is_out: true });
        }
        PaymentEvent::RefundFailed(event) => tries.get_mut(&event.refund).unwrap().is_out = false,
        PaymentEvent::Refunded(event) => tries.get_mut(&event.refund).unwrap().is_out = true,
        _ => {}
    }
}

proptest! {
    /// No more goes out than came in, whatever comes in whatever order. Once nobody wants the payment, all of it is
    /// on its way back, was given in another way, or is owed.
    #[test]
    fn money_out_never_exceeds_money_in(commands in prop::collection::vec(any_command(), 1..60)) {
        let mut state = PaymentState::default();
        let mut taken = 0;
        let mut tries = BTreeMap::new();
        let mut abandoned = false;
        for (n, command) in (10..).zip(commands) {
            for event in Payment::decide(&state, &command, &context(n, noon())).unwrap_or_default() {
                match &event {
                    PaymentEvent::Captured(event) => taken += event.amount.amount,
                    PaymentEvent::DebtWithdrawn(_) => abandoned = false,
                    PaymentEvent::Cancelled(_) => abandoned = true,
                    _ => {}
                }
                note(&mut tries, &event);
                state = Payment::evolve(state, &event);
                prop_assert!(state.invariant().is_ok(), "{:?}", state.invariant());
            }
            let Some(payment) = &state.opened else { continue };
            let gone = gone(&tries) + payment.settled.values().sum::<i64>();
            prop_assert!(gone <= taken, "{gone} of {taken}");
            if abandoned {
                prop_assert!(gone + payment.owed() >= taken);
            }
        }
    }
}
