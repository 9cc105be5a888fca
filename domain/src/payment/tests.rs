use proptest::prelude::*;
use souk_eventsourcing::Rejection as _;
use souk_eventsourcing::testkit::{context, fold, given, noon};
use uuid::Uuid;

use super::event::{
    Accepted, Authorized, Cancelled, Captured, DebtSettled, DebtWithdrawn, Failed, RefundFailed,
    RefundRequested, Refunded, Requested, VoidFailed, VoidRequested, Voided,
};
use super::*;
use crate::money::{Currency, Money};
use crate::names::{DebtId, OrderId, RefundId, VoidId};

const ORDER: OrderId = OrderId(Uuid::from_u128(1));
const REFUND: RefundId = RefundId(Uuid::from_u128(2));

fn pounds(amount: i64) -> Money {
    Money::new(amount * 100, Currency::GBP)
}

fn request(token: &str) -> PaymentCommand {
    PaymentCommand::Request { order: ORDER, amount: pounds(10), token: token.into() }
}

fn requested(attempt: u32) -> PaymentEvent {
    Requested { order: ORDER, amount: pounds(10), token: "tok_ok".into(), attempt }.into()
}

fn record_authorized() -> PaymentCommand {
    record_authorized_of(1, "p")
}

fn record_authorized_of(attempt: u32, provider_payment_id: &str) -> PaymentCommand {
    let provider_payment_id = provider_payment_id.to_owned();
    PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts: 1 }
}

fn record_captured() -> PaymentCommand {
    PaymentCommand::RecordCaptured { provider_payment_id: "p".into() }
}

fn authorized() -> PaymentEvent {
    Authorized { order: ORDER, provider_payment_id: "p".into(), amount: pounds(10), attempts: 1 }.into()
}

fn void_requested() -> PaymentEvent {
    void_requested_of("p")
}

fn void_requested_of(provider_payment_id: &str) -> PaymentEvent {
    let (void, provider_payment_id) = (void_id(), provider_payment_id.to_owned());
    let amount = pounds(10);
    VoidRequested { order: ORDER, void, provider_payment_id, amount, attempt: 1, retries: None }.into()
}

fn void_id() -> VoidId {
    VoidId(context(1, noon()).creates("void"))
}

fn record_failed() -> PaymentCommand {
    record_failed_of(1, None)
}

fn record_failed_of(attempt: u32, provider_payment_id: Option<&str>) -> PaymentCommand {
    let provider_payment_id = provider_payment_id.map(str::to_owned);
    let (code, detail) = ("no".into(), "declined".into());
    PaymentCommand::RecordFailed { attempt, provider_payment_id, code, detail, attempts: 1 }
}

fn failed() -> PaymentEvent {
    Failed { order: ORDER, code: "no".into(), detail: "declined".into(), attempts: 1 }.into()
}

fn captured() -> PaymentEvent {
    Captured { order: ORDER, amount: pounds(10) }.into()
}

fn cancelled() -> PaymentEvent {
    Cancelled { order: ORDER }.into()
}

fn refund(amount: Option<Money>) -> PaymentCommand {
    PaymentCommand::Refund { refund: REFUND, amount, capped: false, reason: "broken".into() }
}

fn refund_requested(amount: Money) -> PaymentEvent {
    let (provider_payment_id, reason) = ("p".into(), "broken".into());
    let (refund, attempt, retries) = (REFUND, 1, None);
    RefundRequested { order: ORDER, refund, provider_payment_id, amount, reason, attempt, retries }.into()
}

#[test]
fn another_attempt_is_allowed_after_a_decline_and_only_then() {
    given::<Payment>(&[]).when(&request("tok_ok")).then(&[requested(1)]);
    given::<Payment>(&[requested(1)]).when(&request("tok_ok")).then_refused("payment-in-progress");
    given::<Payment>(&[requested(1), failed()]).when(&request("tok_ok")).then(&[requested(2)]);
    given::<Payment>(&[requested(1), authorized()])
        .when(&request("tok_ok"))
        .then_refused("payment-already-made");
    let closed = [requested(1), failed(), cancelled()];
    given::<Payment>(&closed).when(&request("tok_ok")).then_refused("payment-closed");
}

#[test]
fn doubled_and_late_answers_change_nothing() {
    given::<Payment>(&[requested(1), authorized()]).when(&record_authorized()).then_nothing();
    given::<Payment>(&[requested(1), authorized()]).when(&record_failed()).then_nothing();
    given::<Payment>(&[requested(1), authorized(), captured()]).when(&record_authorized()).then_nothing();
    given::<Payment>(&[requested(1), authorized(), captured()]).when(&record_captured()).then_nothing();
}

#[test]
fn a_success_after_a_failure_counts_while_somebody_waits() {
    given::<Payment>(&[requested(1), failed()]).when(&record_authorized()).then(&[authorized()]);
}

#[test]
fn an_authorization_that_nobody_wants_is_voided_however_late() {
    let late = [authorized(), void_requested()];
    given::<Payment>(&[requested(1), cancelled()]).when(&record_authorized()).then(&late);
    given::<Payment>(&[requested(1), failed(), cancelled()]).when(&record_authorized()).then(&late);
    let abandon = PaymentCommand::Abandon { order: ORDER };
    given::<Payment>(&[requested(1), authorized()]).when(&abandon).then(&[cancelled(), void_requested()]);
    given::<Payment>(&[requested(1)]).when(&abandon).then(&[cancelled()]);
}

#[test]
fn a_payment_that_nobody_asked_for_in_time_cannot_be_asked_for_any_more() {
    let abandon = PaymentCommand::Abandon { order: ORDER };
    given::<Payment>(&[]).when(&abandon).then(&[cancelled()]);
    given::<Payment>(&[cancelled()]).when(&abandon).then_nothing();
    given::<Payment>(&[cancelled()]).when(&request("tok_ok")).then_refused("payment-closed");
    assert_eq!(fold::<Payment>(&[cancelled()]).status(), None);
}

#[test]
fn a_failure_that_comes_when_nobody_waits_leaves_the_payment_cancelled() {
    let history = [requested(1), cancelled(), failed()];
    given::<Payment>(&history[..2]).when(&record_failed()).then(&history[2..]);
    assert_eq!(fold::<Payment>(&history).status(), Some(PaymentStatus::Cancelled));
}

#[test]
fn a_second_hold_of_an_attempt_that_was_thought_to_have_failed_is_voided_and_the_first_one_stands() {
    let late = record_authorized_of(1, "late");
    let history = [requested(1), failed(), requested(2), authorized()];
    let second = void_requested_of("late");
    given::<Payment>(&history).when(&late).then(std::slice::from_ref(&second));
    let voided: PaymentEvent = Voided { order: ORDER, void: void_id() }.into();
    let history: Vec<_> = history.into_iter().chain([second, voided]).collect();
    given::<Payment>(&history).when(&late).then_nothing();
    assert!(fold::<Payment>(&history).is_held());
}

#[test]
fn a_late_failure_of_an_earlier_attempt_does_not_fail_the_present_one() {
    let history = [requested(1), failed(), requested(2)];
    given::<Payment>(&history).when(&record_failed_of(1, None)).then_nothing();
    given::<Payment>(&history).when(&record_failed_of(1, Some("p"))).then_nothing();
    given::<Payment>(&history).when(&record_failed_of(2, None)).then(&[failed()]);
}

#[test]
fn a_late_success_of_an_earlier_attempt_is_voided_and_the_present_one_goes_on() {
    let history = [requested(1), failed(), requested(2)];
    let first = void_requested_of("first");
    given::<Payment>(&history).when(&record_authorized_of(1, "first")).then(std::slice::from_ref(&first));
    let history: Vec<_> = history.into_iter().chain([first]).collect();
    given::<Payment>(&history).when(&record_authorized_of(2, "p")).then(&[authorized()]);
    let accepted = PaymentCommand::RecordAccepted { attempt: 1, provider_payment_id: "first".into() };
    given::<Payment>(&history).when(&accepted).then_nothing();
}

/// The provider had one id for all attempts of a payment in logs of before.
#[test]
fn an_answer_that_names_the_present_payment_of_the_provider_belongs_to_the_present_attempt() {
    let accepted = Accepted { order: ORDER, provider_payment_id: "p".into() }.into();
    let history = [requested(1), failed(), requested(2), accepted];
    given::<Payment>(&history).when(&record_authorized_of(1, "p")).then(&[authorized()]);
    given::<Payment>(&history).when(&record_failed_of(1, Some("p"))).then(&[failed()]);
}

#[test]
fn a_capture_that_names_another_payment_of_the_provider_changes_nothing() {
    let history = [requested(1), authorized()];
    let other = PaymentCommand::RecordCaptured { provider_payment_id: "other".into() };
    given::<Payment>(&history).when(&other).then_nothing();
    given::<Payment>(&history).when(&record_captured()).then(&[captured()]);
}

fn refund_failed(refund: RefundId) -> PaymentEvent {
    RefundFailed { order: ORDER, refund, code: "no".into(), detail: "closed".into() }.into()
}

/// A refund of 4 pounds that failed.
fn indebted() -> Vec<PaymentEvent> {
    vec![requested(1), authorized(), captured(), refund_requested(pounds(4)), refund_failed(REFUND)]
}

#[test]
fn a_refund_that_failed_is_a_debt_until_it_is_tried_again_and_given() {
    let debt = DebtId(REFUND.0);
    let retry = PaymentCommand::RetryDebt { debt };
    assert!(!fold::<Payment>(&indebted()).debts().is_empty());
    let again = PaymentCommand::RecordRefundFailed { refund: REFUND, code: "no".into(), detail: "x".into() };
    given::<Payment>(&indebted()).when(&again).then_nothing();
    let again = RefundId(context(1, noon()).creates("refund"));
    let requested: PaymentEvent = RefundRequested {
        order: ORDER,
        refund: again,
        provider_payment_id: "p".into(),
        amount: pounds(4),
        reason: "a refund that failed is tried again".into(),
        attempt: 2,
        retries: Some(REFUND),
    }
    .into();
    given::<Payment>(&indebted()).when(&retry).then(std::slice::from_ref(&requested));
    let mut history = [indebted(), vec![requested]].concat();
    given::<Payment>(&history).when(&retry).then_refused("dead-letter-not-found");
    assert!(fold::<Payment>(&history).debts().is_empty(), "it is under way");
    history.push(refund_failed(again));
    assert!(!fold::<Payment>(&history).debts().is_empty(), "it failed again, and is a debt again");
    let given_back =
        Refunded { order: ORDER, refund: again, amount: pounds(4), provider_refund_id: "r".into() };
    history.push(given_back.into());
    let state = fold::<Payment>(&history);
    assert!(state.debts().is_empty() && state.kept() == 600, "the provider says last what it did");
}

fn other_refund(amount: Option<i64>, capped: bool) -> PaymentCommand {
    let (refund, reason) = (RefundId(Uuid::from_u128(3)), "broken".to_owned());
    PaymentCommand::Refund { refund, amount: amount.map(pounds), capped, reason }
}

fn asked(events: &[PaymentEvent]) -> i64 {
    match events {
        [PaymentEvent::RefundRequested(event)] => event.amount.amount,
        other => panic!("{other:?}"),
    }
}

/// Asked of the shop: a refund of half is refused, then the order is cancelled. Each half goes back once.
#[test]
fn a_debt_holds_its_amount_so_that_no_other_refund_gives_it_back() {
    let state = fold::<Payment>(&indebted());
    let decided = |command| Payment::decide(&state, &command, &context(9, noon()));
    assert_eq!(asked(&decided(other_refund(Some(10), true)).unwrap()), 600, "what a cancellation gives back");
    assert_eq!(asked(&decided(other_refund(None, false)).unwrap()), 600);
    assert_eq!(decided(other_refund(Some(7), false)).unwrap_err().code(), "refund-exceeds-payment");
    let abandoned = decided(PaymentCommand::Abandon { order: ORDER }).unwrap();
    assert_eq!(asked(&abandoned[1..]), 600);
}

#[test]
fn a_debt_that_was_settled_in_another_way_counts_as_given_back() {
    let debt = DebtId(REFUND.0);
    let settle = PaymentCommand::SettleDebt { debt, reason: "bank transfer".into() };
    let settled: PaymentEvent = DebtSettled { order: ORDER, debt, reason: "bank transfer".into() }.into();
    given::<Payment>(&indebted()).when(&settle).then(std::slice::from_ref(&settled));
    let history = [indebted(), vec![settled]].concat();
    let state = fold::<Payment>(&history);
    assert_eq!((state.debts(), state.status()), (vec![], Some(PaymentStatus::PartiallyRefunded)));
    let rest = Payment::decide(&state, &other_refund(Some(10), true), &context(9, noon())).unwrap();
    assert_eq!(asked(&rest), 600, "nobody gets the settled part a second time");
    given::<Payment>(&history).when(&settle).then_refused("dead-letter-not-found");
    given::<Payment>(&history)
        .when(&PaymentCommand::RetryDebt { debt })
        .then_refused("dead-letter-not-found");
    // The provider gave it after all: it says last what it did.
    let late = PaymentCommand::RecordRefunded { refund: REFUND, provider_refund_id: "r".into() };
    let events = Payment::decide(&state, &late, &context(9, noon())).unwrap();
    assert_eq!(fold::<Payment>(&[history, events].concat()).kept(), 600);
}

#[test]
fn a_debt_that_is_withdrawn_can_be_refunded_again() {
    let debt = DebtId(REFUND.0);
    let withdraw = PaymentCommand::WithdrawDebt { debt, reason: "the buyer keeps it".into() };
    let withdrawn: PaymentEvent =
        DebtWithdrawn { order: ORDER, debt, reason: "the buyer keeps it".into() }.into();
    given::<Payment>(&indebted()).when(&withdraw).then(std::slice::from_ref(&withdrawn));
    let state = fold::<Payment>(&[indebted(), vec![withdrawn]].concat());
    let all = Payment::decide(&state, &other_refund(None, false), &context(9, noon())).unwrap();
    assert_eq!((asked(&all), state.debts()), (1_000, vec![]));
}

#[test]
fn a_log_of_before_in_which_another_refund_gave_the_amount_back_is_read_as_it_is() {
    let rest = RefundRequested {
        order: ORDER,
        refund: RefundId(Uuid::from_u128(3)),
        provider_payment_id: "p".into(),
        amount: pounds(10),
        reason: String::new(),
        attempt: 1,
        retries: None,
    };
    let (debt, reason) = (DebtId(REFUND.0), "given by the other one".to_owned());
    let history = [indebted(), vec![rest.into()]].concat();
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
fn a_refund_of_what_is_left_is_refused_when_nothing_is() {
    let all = RefundRequested {
        order: ORDER,
        refund: RefundId(Uuid::from_u128(3)),
        provider_payment_id: "p".into(),
        amount: pounds(6),
        reason: String::new(),
        attempt: 1,
        retries: None,
    };
    let history = [indebted(), vec![all.into()]].concat();
    let refund = |capped| match other_refund(None, capped) {
        PaymentCommand::Refund { amount, reason, .. } => {
            PaymentCommand::Refund { refund: RefundId(Uuid::from_u128(4)), amount, capped, reason }
        }
        other => other,
    };
    given::<Payment>(&history).when(&refund(false)).then_refused("refund-exceeds-payment");
    given::<Payment>(&history).when(&refund(true)).then_nothing();
}

#[test]
fn a_void_that_failed_is_a_debt_that_can_be_tried_again() {
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

#[test]
fn an_authorization_that_was_voided_is_no_news_when_it_comes_again() {
    let voided = Voided { order: ORDER, void: void_id() }.into();
    let history = [requested(1), authorized(), cancelled(), void_requested(), voided];
    given::<Payment>(&history).when(&record_authorized()).then_nothing();
    given::<Payment>(&history).when(&record_failed()).then_nothing();
}

#[test]
fn the_answer_that_a_given_up_payment_is_owed_may_be_a_failure() {
    given::<Payment>(&[requested(1), cancelled()]).when(&record_failed()).then(&[failed()]);
    given::<Payment>(&[requested(1), failed(), cancelled()]).when(&record_failed()).then_nothing();
}

#[test]
fn a_capture_that_nobody_wants_is_refunded() {
    let state = fold::<Payment>(&[requested(1), authorized(), cancelled(), void_requested()]);
    let events = Payment::decide(&state, &record_captured(), &context(3, noon())).unwrap();
    assert!(
        matches!(&events[..], [PaymentEvent::Captured(_), PaymentEvent::RefundRequested(refund)] if refund.amount == pounds(10))
    );
}

#[test]
fn a_declined_payment_stays_failed_when_it_is_abandoned() {
    let state = fold::<Payment>(&[requested(1), failed(), cancelled()]);
    assert_eq!(state.status(), Some(PaymentStatus::Failed));
}

#[test]
fn refunds_never_exceed_what_was_taken() {
    let paid = [requested(1), authorized(), captured()];
    given::<Payment>(&paid[..2]).when(&refund(None)).then_refused("payment-not-captured");
    given::<Payment>(&paid).when(&refund(Some(pounds(11)))).then_refused("refund-exceeds-payment");
    given::<Payment>(&paid).when(&refund(Some(pounds(0)))).then_refused("invalid-amount");
    let euros = Money::new(1, Currency::EUR);
    given::<Payment>(&paid).when(&refund(Some(euros))).then_refused("currency-mismatch");
    given::<Payment>(&paid).when(&refund(Some(pounds(4)))).then(&[refund_requested(pounds(4))]);
    given::<Payment>(&paid).when(&refund(None)).then(&[refund_requested(pounds(10))]);
}

#[test]
fn a_refund_is_done_once() {
    let asked = [requested(1), authorized(), captured(), refund_requested(pounds(4))];
    let record = PaymentCommand::RecordRefunded { refund: REFUND, provider_refund_id: "r".into() };
    let done: PaymentEvent =
        Refunded { order: ORDER, refund: REFUND, amount: pounds(4), provider_refund_id: "r".into() }.into();
    given::<Payment>(&asked).when(&refund(Some(pounds(4)))).then_nothing();
    given::<Payment>(&asked).when(&record).then(std::slice::from_ref(&done));
    let history: Vec<_> = asked.iter().cloned().chain([done]).collect();
    given::<Payment>(&history).when(&record).then_nothing();
    assert_eq!(fold::<Payment>(&history).status(), Some(PaymentStatus::PartiallyRefunded));
    assert_eq!(fold::<Payment>(&history).kept(), 600);
    given::<Payment>(&asked[..3]).when(&record).then_refused("refund-not-found");
}

fn any_command() -> impl Strategy<Value = PaymentCommand> {
    let refund_id = (0..3_u128).prop_map(|n| RefundId(Uuid::from_u128(n)));
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
        (refund_id.clone(), prop::option::of(1..7_i64)).prop_map(|(refund, amount)| PaymentCommand::Refund {
            refund,
            amount: amount.map(pounds),
            capped: false,
            reason: String::new()
        }),
        refund_id
            .clone()
            .prop_map(|refund| PaymentCommand::RecordRefunded { refund, provider_refund_id: "r".into() }),
        refund_id.clone().prop_map(|refund| PaymentCommand::RetryDebt { debt: DebtId(refund.0) }),
        (0..3_u128).prop_map(|n| {
            let (debt, reason) = (DebtId(Uuid::from_u128(n)), String::new());
            PaymentCommand::SettleDebt { debt, reason }
        }),
        (0..3_u128).prop_map(|n| {
            let (debt, reason) = (DebtId(Uuid::from_u128(n)), String::new());
            PaymentCommand::WithdrawDebt { debt, reason }
        }),
        (1..70_u128).prop_map(|n| {
            let (void, code) = (VoidId(context(n, noon()).creates("void")), "no".into());
            PaymentCommand::RecordVoidFailed { void, code, detail: String::new() }
        }),
        refund_id.prop_map(|refund| PaymentCommand::RecordRefundFailed {
            refund,
            code: "no".into(),
            detail: String::new()
        }),
    ]
}

/// Whether a refund is done that had failed.
fn promise_was_broken(state: &PaymentState, refund: RefundId) -> bool {
    !state.opened.as_ref().unwrap().asked.contains_key(&refund)
}

proptest! {
    /// Against a plain model: a till. Whatever comes in whatever order, no more goes out than came in,
    /// and once nobody wants the payment, all of it is on its way back, was given in another way, or is owed.
    #[test]
    fn money_out_never_exceeds_money_in(commands in prop::collection::vec(any_command(), 1..60)) {
        let mut state = PaymentState::default();
        let (mut taken, mut promised, mut abandoned) = (0, 0, false);
        for (n, command) in (10..).zip(commands) {
            for event in Payment::decide(&state, &command, &context(n, noon())).unwrap_or_default() {
                match &event {
                    PaymentEvent::Captured(event) => taken += event.amount.amount,
                    PaymentEvent::RefundRequested(event) => promised += event.amount.amount,
                    PaymentEvent::RefundFailed(event) => {
                        promised -= state.opened.as_ref().unwrap().asked[&event.refund].amount;
                    }
                    PaymentEvent::DebtWithdrawn(_) => abandoned = false,
                    PaymentEvent::Refunded(event) if promise_was_broken(&state, event.refund) => {
                        promised += event.amount.amount;
                    }
                    PaymentEvent::Cancelled(_) => abandoned = true,
                    _ => {}
                }
                state = Payment::evolve(state, &event);
                prop_assert!(state.invariant().is_ok(), "{:?}", state.invariant());
            }
            let Some(payment) = &state.opened else { continue };
            let gone = promised + payment.settled.values().sum::<i64>();
            prop_assert!(gone <= taken);
            if abandoned {
                prop_assert!(gone + payment.owed() >= taken);
            }
        }
    }
}
