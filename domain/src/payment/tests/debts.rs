//! Tests of refunds and voids that fail.

use super::*;

pub(super) fn refund_failed(refund: RefundId) -> PaymentEvent {
    RefundFailed { order: ORDER, refund, code: "no".into(), detail: "closed".into() }.into()
}

/// A payment of 10 pounds with a failed refund of 4 pounds.
fn payment_with_debt() -> Vec<PaymentEvent> {
    vec![requested(1), authorized(), captured(), refund_requested(pounds(4)), refund_failed(REFUND)]
}

// Proves: payments.refused-refund-is-a-debt
#[test]
fn a_failed_refund_is_a_debt_until_a_retry_succeeds() {
    let debt = DebtId(REFUND.0);
    let retry = PaymentCommand::RetryDebt { debt };
    assert!(!fold::<Payment>(&payment_with_debt()).debts().is_empty());
    let repeated =
        PaymentCommand::RecordRefundFailed { refund: REFUND, code: "no".into(), detail: "x".into() };
    given::<Payment>(&payment_with_debt()).when(&repeated).then_nothing();
    let again = RefundId(context(1, noon()).derived_id("refund"));
    let requested: PaymentEvent = RefundRequested {
        order: ORDER,
        refund: again,
        provider_payment_id: "p".into(),
        amount: pounds(4),
        reason: "retry of a failed refund".into(),
        attempt: 2,
        retries: Some(REFUND),
        requested_at: Some(noon()),
    }
    .into();
    given::<Payment>(&payment_with_debt()).when(&retry).then(std::slice::from_ref(&requested));
    let mut history = [payment_with_debt(), vec![requested]].concat();
    given::<Payment>(&history).when(&retry).then_refused("dead-letter-not-found");
    assert!(fold::<Payment>(&history).debts().is_empty(), "the retry is in progress");
    history.push(refund_failed(again));
    assert!(!fold::<Payment>(&history).debts().is_empty(), "the retry failed and is a debt");
    let refunded =
        Refunded { order: ORDER, refund: again, amount: pounds(4), provider_refund_id: "r".into() };
    history.push(refunded.into());
    let state = fold::<Payment>(&history);
    assert!(
        state.debts().is_empty() && state.net_captured() == 600,
        "a success that is reported after a failure counts"
    );
}

fn other_refund(amount: Option<i64>, capped: bool) -> PaymentCommand {
    let refund = RefundId(Uuid::from_u128(3));
    let reason = "broken".to_owned();
    PaymentCommand::Refund { refund, amount: amount.map(pounds), capped, reason }
}

fn requested_amount(events: &[PaymentEvent]) -> i64 {
    match events {
        [PaymentEvent::RefundRequested(event)]
        | [PaymentEvent::RefundRequested(event), PaymentEvent::RefundDeferred(_)] => event.amount.amount,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_refund_is_not_requested_again_under_the_same_id() {
    for capped in [false, true] {
        let again = PaymentCommand::Refund { refund: REFUND, amount: None, capped, reason: "broken".into() };
        given::<Payment>(&payment_with_debt()).when(&again).then(&[]);
    }
}

/// A refund of 4 of 10 pounds fails. Then every other refund can use only the other 6 pounds.
// Proves: payments.debt-holds-its-amount
#[test]
fn no_other_refund_can_use_the_amount_of_a_debt() {
    let state = fold::<Payment>(&payment_with_debt());
    let decided = |command| Payment::decide(&state, &command, &context(9, noon()));
    assert_eq!(
        requested_amount(&decided(other_refund(Some(10), true)).unwrap()),
        600,
        "a cancellation refunds the rest"
    );
    assert_eq!(requested_amount(&decided(other_refund(None, false)).unwrap()), 600);
    assert_eq!(decided(other_refund(Some(7), false)).unwrap_err().code(), "refund-exceeds-payment");
    let abandoned = decided(PaymentCommand::Abandon { order: ORDER }).unwrap();
    assert_eq!(requested_amount(&abandoned[1..]), 600);
}

// Proves: payments.settled-debt
#[test]
fn a_settled_debt_counts_as_refunded() {
    let debt = DebtId(REFUND.0);
    let settle = PaymentCommand::SettleDebt { debt, reason: "bank transfer".into() };
    let settled: PaymentEvent = DebtSettled { order: ORDER, debt, reason: "bank transfer".into() }.into();
    given::<Payment>(&payment_with_debt()).when(&settle).then(std::slice::from_ref(&settled));
    let history = [payment_with_debt(), vec![settled]].concat();
    let state = fold::<Payment>(&history);
    assert_eq!((state.debts(), state.status()), (vec![], Some(PaymentStatus::PartiallyRefunded)));
    let rest = Payment::decide(&state, &other_refund(Some(10), true), &context(9, noon())).unwrap();
    assert_eq!(requested_amount(&rest), 600, "the settled part is not refunded again");
    given::<Payment>(&history).when(&settle).then_refused("dead-letter-not-found");
    given::<Payment>(&history)
        .when(&PaymentCommand::RetryDebt { debt })
        .then_refused("dead-letter-not-found");
    // The provider reports a late success of the settled refund.
    let late = PaymentCommand::RecordRefunded { refund: REFUND, provider_refund_id: "r".into() };
    let events = Payment::decide(&state, &late, &context(9, noon())).unwrap();
    let doubled = RefundDoubled { order: ORDER, refund: REFUND, amount: pounds(4) };
    assert_eq!(events, [doubled.into()], "the buyer received the money twice");
    assert_eq!(fold::<Payment>(&[history, events].concat()).status(), Some(PaymentStatus::PartiallyRefunded));
}

// Proves: payments.debt-holds-its-amount
#[test]
fn the_amount_of_a_withdrawn_debt_can_be_refunded_again() {
    let debt = DebtId(REFUND.0);
    let withdraw = PaymentCommand::WithdrawDebt { debt, reason: "the buyer keeps it".into() };
    let withdrawn: PaymentEvent =
        DebtWithdrawn { order: ORDER, debt, reason: "the buyer keeps it".into() }.into();
    given::<Payment>(&payment_with_debt()).when(&withdraw).then(std::slice::from_ref(&withdrawn));
    let state = fold::<Payment>(&[payment_with_debt(), vec![withdrawn]].concat());
    let all = Payment::decide(&state, &other_refund(None, false), &context(9, noon())).unwrap();
    assert_eq!((requested_amount(&all), state.debts()), (1_000, vec![]));
}

#[test]
fn an_older_log_in_which_another_refund_used_the_amount_is_valid() {
    let rest = RefundRequested {
        order: ORDER,
        refund: RefundId(Uuid::from_u128(3)),
        provider_payment_id: "p".into(),
        amount: pounds(10),
        reason: String::new(),
        attempt: 1,
        retries: None,
        requested_at: None,
    };
    let debt = DebtId(REFUND.0);
    let reason = "refunded by the other refund".to_owned();
    let history = [payment_with_debt(), vec![rest.into()]].concat();
    given::<Payment>(&history)
        .when(&PaymentCommand::RetryDebt { debt })
        .then_refused("refund-exceeds-payment");
    let settled: PaymentEvent = DebtSettled { order: ORDER, debt, reason: reason.clone() }.into();
    given::<Payment>(&history)
        .when(&PaymentCommand::SettleDebt { debt, reason })
        .then(std::slice::from_ref(&settled));
    let state = fold::<Payment>(&[history, vec![settled]].concat());
    assert_eq!((state.debts(), state.invariant()), (vec![], Ok(())));
}

#[test]
fn a_refund_of_the_rest_is_refused_or_deferred_if_nothing_is_left() {
    let all = RefundRequested {
        order: ORDER,
        refund: RefundId(Uuid::from_u128(3)),
        provider_payment_id: "p".into(),
        amount: pounds(6),
        reason: String::new(),
        attempt: 1,
        retries: None,
        requested_at: None,
    };
    let history = [payment_with_debt(), vec![all.into()]].concat();
    let refund = |capped| match other_refund(None, capped) {
        PaymentCommand::Refund { amount, reason, .. } => {
            PaymentCommand::Refund { refund: RefundId(Uuid::from_u128(4)), amount, capped, reason }
        }
        other => other,
    };
    given::<Payment>(&history).when(&refund(false)).then_refused("refund-exceeds-payment");
    let deferred = RefundDeferred { order: ORDER, refund: RefundId(Uuid::from_u128(4)), amount: pounds(10) };
    given::<Payment>(&history).when(&refund(true)).then(&[deferred.into()]);
}

/// Staff refund the whole amount. This refund fails, before or after the order is cancelled. Then staff
/// withdraw it, and the cancellation refunds the money.
#[test]
fn a_cancellation_refunds_the_amount_of_a_withdrawn_refund() {
    let all_requested = [requested(1), authorized(), captured(), refund_requested(pounds(10))];
    for fails_before_the_cancellation in [true, false] {
        let mut history = all_requested.to_vec();
        let failed = refund_failed(REFUND);
        if fails_before_the_cancellation {
            history.push(failed.clone());
        }
        let state = fold::<Payment>(&history);
        let cancellation = other_refund(Some(10), true);
        history.extend(Payment::decide(&state, &cancellation, &context(9, noon())).unwrap());
        if !fails_before_the_cancellation {
            history.push(failed);
        }
        let withdraw = PaymentCommand::WithdrawDebt { debt: DebtId(REFUND.0), reason: "pointless".into() };
        let state = fold::<Payment>(&history);
        let events = Payment::decide(&state, &withdraw, &context(10, noon())).unwrap();
        assert_eq!(requested_amount(&events[1..]), 1_000);
        history.extend(events);
        let again = RefundId(context(10, noon()).derived_id("refund"));
        history.push(refund_failed(again));
        // Staff can withdraw the refund of the cancellation too. Then no other refund is requested.
        let withdraw = PaymentCommand::WithdrawDebt { debt: DebtId(again.0), reason: "kept".into() };
        let events = Payment::decide(&fold::<Payment>(&history), &withdraw, &context(11, noon())).unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
    }
}

#[test]
fn a_void_that_failed_is_a_debt_that_can_be_retried() {
    let record =
        PaymentCommand::RecordVoidFailed { void: void_id(), code: "no".into(), detail: "closed".into() };
    let failed: PaymentEvent =
        VoidFailed { order: ORDER, void: void_id(), code: "no".into(), detail: "closed".into() }.into();
    let history = [requested(1), authorized(), cancelled(), void_requested()];
    given::<Payment>(&history).when(&record).then(std::slice::from_ref(&failed));
    let history = [history.to_vec(), vec![failed]].concat();
    let state = fold::<Payment>(&history);
    assert!(!state.debts().is_empty() && state.is_held());
    given::<Payment>(&history).when(&record).then_nothing();
    let retry = PaymentCommand::RetryDebt { debt: DebtId(void_id().0) };
    let events = Payment::decide(&state, &retry, &context(9, noon())).unwrap();
    let [PaymentEvent::VoidRequested(again)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((again.attempt, again.retries), (2, Some(void_id())));
    let voided = Voided { order: ORDER, void: again.void }.into();
    let state = fold::<Payment>(&[history, events.clone(), vec![voided]].concat());
    assert!(state.debts().is_empty() && !state.is_held());
}

fn record_refunded(refund: RefundId) -> PaymentCommand {
    PaymentCommand::RecordRefunded { refund, provider_refund_id: "r".into() }
}

/// Returns a payment whose refund of `amount` pounds failed and is retried, and the id of the second try.
fn retried(amount: i64) -> (Vec<PaymentEvent>, RefundId) {
    let paid = [requested(1), authorized(), captured(), refund_requested(pounds(amount))];
    let history = [paid.to_vec(), vec![refund_failed(REFUND)]].concat();
    let retry = PaymentCommand::RetryDebt { debt: DebtId(REFUND.0) };
    let events = Payment::decide(&fold::<Payment>(&history), &retry, &context(1, noon())).unwrap();
    ([history, events].concat(), RefundId(context(1, noon()).derived_id("refund")))
}

/// The provider reports a success of the first try of a refund after the second try failed.
#[test]
fn a_late_success_of_an_earlier_try_ends_the_debt_of_the_later_one() {
    let (mut history, second) = retried(4);
    history.push(refund_failed(second));
    assert_eq!(fold::<Payment>(&history).debts(), [DebtId(second.0)]);
    let state = fold::<Payment>(&history);
    let events = Payment::decide(&state, &record_refunded(REFUND), &context(2, noon())).unwrap();
    let state = fold::<Payment>(&[history.clone(), events].concat());
    assert_eq!((state.debts(), state.net_captured()), (vec![], 600));
    let all = Payment::decide(&state, &other_refund(None, false), &context(3, noon())).unwrap();
    assert_eq!(requested_amount(&all), 600);
}

#[test]
fn a_retry_that_fails_after_the_first_try_succeeded_is_not_a_debt() {
    for amount in [4, 10] {
        let (mut history, second) = retried(amount);
        let late = record_refunded(REFUND);
        let events = Payment::decide(&fold::<Payment>(&history), &late, &context(2, noon())).unwrap();
        history.extend(events);
        let record =
            PaymentCommand::RecordRefundFailed { refund: second, code: "no".into(), detail: "x".into() };
        let events = Payment::decide(&fold::<Payment>(&history), &record, &context(3, noon())).unwrap();
        history.extend(events);
        let state = fold::<Payment>(&history);
        assert_eq!((state.debts(), state.net_captured()), (vec![], 1_000 - 100 * amount));
    }
}

// Proves: payments.doubled-refund
#[test]
fn a_refund_that_the_provider_completes_twice_is_recorded_as_doubled() {
    let (mut history, second) = retried(10);
    for refund in [REFUND, second] {
        let record = record_refunded(refund);
        let events = Payment::decide(&fold::<Payment>(&history), &record, &context(2, noon())).unwrap();
        history.extend(events);
    }
    let doubled = RefundDoubled { order: ORDER, refund: second, amount: pounds(10) };
    assert_eq!(history.last(), Some(&doubled.into()));
    given::<Payment>(&history).when(&record_refunded(second)).then_nothing();
    assert_eq!(fold::<Payment>(&history).net_captured(), 0);
}

#[test]
fn a_late_success_of_an_earlier_void_ends_the_debt_of_the_later_one() {
    let failed = |void| VoidFailed { order: ORDER, void, code: "no".into(), detail: "closed".into() }.into();
    let mut history = vec![requested(1), authorized(), cancelled(), void_requested(), failed(void_id())];
    let retry = PaymentCommand::RetryDebt { debt: DebtId(void_id().0) };
    history.extend(Payment::decide(&fold::<Payment>(&history), &retry, &context(2, noon())).unwrap());
    let second = VoidId(context(2, noon()).derived_id("void"));
    let record_voided = PaymentCommand::RecordVoided { void: void_id() };
    let both_failed = [history.clone(), vec![failed(second)]].concat();
    let events =
        Payment::decide(&fold::<Payment>(&both_failed), &record_voided, &context(3, noon())).unwrap();
    let state = fold::<Payment>(&[both_failed, events].concat());
    assert!(state.debts().is_empty() && !state.is_held());
    // The other sequence: first the hold is released, then the second void fails.
    history.extend(Payment::decide(&fold::<Payment>(&history), &record_voided, &context(3, noon())).unwrap());
    let record = PaymentCommand::RecordVoidFailed { void: second, code: "no".into(), detail: "x".into() };
    history.extend(Payment::decide(&fold::<Payment>(&history), &record, &context(4, noon())).unwrap());
    assert!(fold::<Payment>(&history).debts().is_empty());
}

#[test]
fn a_report_without_a_refund_id_is_about_the_last_try_of_the_only_refund() {
    let (mut history, second) = retried(4);
    let reported = |history: &[PaymentEvent]| fold::<Payment>(history).reported_refund(noon());
    assert_eq!(reported(&history), ReportedRefund::One(second));
    history.push(refund_failed(second));
    assert_eq!(reported(&history), ReportedRefund::One(second));
    let state = fold::<Payment>(&history);
    history.extend(Payment::decide(&state, &other_refund(Some(1), false), &context(2, noon())).unwrap());
    assert_eq!(reported(&history), ReportedRefund::Unclear, "the report can be about either of two refunds");
}

#[test]
fn a_report_without_a_refund_id_is_unclear_if_a_refund_is_completed() {
    let other = RefundId(Uuid::from_u128(3));
    let mut history = payment_with_debt();
    let state = fold::<Payment>(&history);
    history.extend(Payment::decide(&state, &other_refund(Some(5), false), &context(2, noon())).unwrap());
    let state = fold::<Payment>(&history);
    history.extend(Payment::decide(&state, &record_refunded(other), &context(3, noon())).unwrap());
    let state = fold::<Payment>(&history);
    assert_eq!(
        (state.reported_refund(noon()), state.debts()),
        (ReportedRefund::Unclear, vec![DebtId(REFUND.0)])
    );
}

#[test]
fn a_report_is_not_about_a_refund_that_was_requested_after_it() {
    let history = [requested(1), authorized(), captured()];
    let state = fold::<Payment>(&history);
    let events = Payment::decide(&state, &refund(None), &context(1, noon())).unwrap();
    let state = fold::<Payment>(&[history.to_vec(), events].concat());
    let before = noon() - jiff::SignedDuration::from_micros(1);
    assert_eq!(state.reported_refund(before), ReportedRefund::None);
    assert_eq!(state.reported_refund(noon()), ReportedRefund::One(REFUND));
}
