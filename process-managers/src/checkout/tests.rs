use souk_eventsourcing::process::{DecidedKind, Input, Output, Process, Step};
use souk_eventsourcing::testkit::{noon, run_process};
use uuid::Uuid;

use super::step::CheckoutStep::{
    AbandonPayment, Authorize, AwaitPayment, Capture, Confirm, ConfirmOrder, FailOrder, GiveBack,
    PaymentTimeout, PlaceOrder, Release, RequestPayment, Reserve, Restock,
};
use super::*;
use souk_domain::money::{Currency, Money};
use souk_domain::names::{CartId, OrderId, ProductId, Sku};
use souk_domain::order::OrderCommand;
use souk_domain::order::draft::Parts;
use souk_domain::order::event::{Draft, OrderLine, Reason, ReasonCode};

type In = Input<CheckoutEvent, CheckoutStep>;
type Out = Output<CheckoutStep>;

fn draft(token: Option<&str>, cart: Option<CartId>) -> Box<Draft> {
    let line = |text: &str| OrderLine {
        sku: Sku::parse(text).unwrap(),
        product: ProductId(Uuid::nil()),
        name: text.to_owned(),
        quantity: 2,
        unit_price: Money::new(100, Currency::GBP),
        shown_price: None,
    };
    let parts = Parts {
        order: OrderId(Uuid::from_u128(1)),
        customer: None,
        cart,
        email: None,
        shipping_address: None,
        lines: vec![line("A"), line("B")],
        payment_token: token.map(str::to_owned),
        placed_at: noon(),
        pay_by: noon() + jiff::SignedDuration::from_secs(900),
    };
    Box::new(Draft::assemble(parts).unwrap())
}

fn placed() -> In {
    Input::Event(CheckoutEvent::Placed { draft: draft(Some("tok_ok"), None) })
}

fn checked_out() -> In {
    let draft = draft(Some("tok_ok"), Some(CartId(Uuid::nil())));
    let line = souk_domain::cart::event::CartLine {
        sku: draft.lines[0].sku.clone(),
        product: draft.lines[0].product,
        quantity: 2,
        unit_price: draft.lines[0].unit_price,
    };
    Input::Event(CheckoutEvent::CheckedOut { draft, lines: vec![line] })
}

fn done(steps: &[CheckoutStep]) -> Vec<In> {
    steps.iter().map(|step| Input::Done(*step)).collect()
}

fn refused(step: CheckoutStep, code: &str) -> In {
    Input::Refused { step, code: code.to_owned(), detail: String::new() }
}

fn requested(attempt: u32) -> In {
    let amount = Money::new(400, Currency::GBP);
    let token = format!("tok_{attempt}").into();
    Input::Event(CheckoutEvent::PaymentRequested { attempt, amount, token })
}

fn authorized() -> In {
    Input::Event(CheckoutEvent::Authorized { provider_payment_id: "p".into() })
}

fn declined() -> In {
    Input::Event(CheckoutEvent::PaymentFailed { detail: "no money".into() })
}

fn captured() -> In {
    Input::Event(CheckoutEvent::Captured)
}

fn cancelled() -> In {
    let reason = Reason { code: ReasonCode::CancelledByCustomer, detail: "".into() };
    Input::Event(CheckoutEvent::CancellationRequested { reason })
}

fn commands(steps: &[CheckoutStep]) -> Vec<Out> {
    steps.iter().map(|step| Output::Command(*step)).collect()
}

/// A checkout that took inputs, and what the last of them led to.
fn after(inputs: &[In]) -> (CheckoutState, Vec<Out>) {
    let mut state = CheckoutState::default();
    let outputs = run_process::<Checkout>(&mut state, inputs, noon());
    (state, outputs.into_iter().next_back().unwrap_or_default())
}

fn last(inputs: &[In]) -> Vec<Out> {
    after(inputs).1
}

fn join(parts: &[&[In]]) -> Vec<In> {
    parts.concat()
}

/// Waits for payment, with the provider asked.
fn waiting() -> Vec<In> {
    join(&[&[placed()], &done(&[Reserve(0), Reserve(1), RequestPayment]), &done(&[AwaitPayment])])
}

/// Waits for payment, with nobody having tried.
fn waiting_without_token() -> Vec<In> {
    let placed = Input::Event(CheckoutEvent::Placed { draft: draft(None, None) });
    join(&[&[placed], &done(&[Reserve(0), Reserve(1), AwaitPayment])])
}

/// How the order ends, in the checkout's last command.
fn ending(inputs: &[In]) -> OrderCommand {
    let (state, outputs) = after(inputs);
    let [Output::Command(step)] = &outputs[..] else { panic!("{outputs:?}") };
    assert!(Checkout::is_ended(&state), "the final state is appended last");
    match Checkout::command(&state, step) {
        Some(ShopCommand::Order(_, command)) => command,
        other => panic!("{other:?}"),
    }
}

fn failure(inputs: &[In]) -> (ReasonCode, usize) {
    match ending(inputs) {
        OrderCommand::Fail { reason, failed_skus } => (reason.code, failed_skus.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_placed_order_is_reserved_line_by_line_and_its_payment_opened() {
    let mut expected = commands(&[Reserve(0), Reserve(1), RequestPayment]);
    expected.push(Output::Timer { step: PaymentTimeout, at: draft(None, None).pay_by });
    assert_eq!(last(&[placed()]), expected);
}

#[test]
fn an_order_from_a_cart_is_placed_and_reserved_once_whoever_places_it() {
    let by_request = Input::Event(CheckoutEvent::Placed { draft: draft(Some("tok_ok"), None) });
    assert_eq!(last(&[checked_out()]), commands(&[PlaceOrder]));
    let mut state = CheckoutState::default();
    let inputs = [checked_out(), by_request, Input::Done(PlaceOrder)];
    let outputs = run_process::<Checkout>(&mut state, &inputs, noon());
    assert_eq!(outputs.iter().flatten().filter(|out| **out == Output::Command(Reserve(0))).count(), 1);
    assert_eq!(
        last(&[checked_out(), Input::Unchanged(PlaceOrder)])[..2],
        commands(&[Reserve(0), Reserve(1)])
    );
}

#[test]
fn the_draft_is_at_hand_as_long_as_placing_it_has_no_answer() {
    let (state, _) = after(&[checked_out(), placed()]);
    assert!(matches!(
        Checkout::command(&state, &PlaceOrder),
        Some(ShopCommand::Order(_, OrderCommand::Place(_)))
    ));
}

#[test]
fn the_provider_is_asked_when_all_is_reserved_and_not_before() {
    let reserved = done(&[Reserve(0), RequestPayment, Reserve(1)]);
    assert_eq!(last(&join(&[&[placed()], &reserved[..2]])), []);
    let expected = [Output::Command(AwaitPayment), Output::Effect(Authorize(1))];
    assert_eq!(last(&join(&[&[placed()], &reserved])), expected);
    assert_eq!(last(&join(&[&waiting(), &[requested(1)]])), [], "its own request is no further attempt");
}

#[test]
fn goods_and_money_are_taken_at_once_and_then_the_order_is_confirmed() {
    let taking = join(&[&waiting(), &[authorized()]]);
    let expected = [commands(&[Confirm(0), Confirm(1)]), vec![Output::Effect(Capture)]].concat();
    assert_eq!(last(&taking), expected);
    let confirmed = join(&[&taking, &done(&[Confirm(0), Confirm(1)])]);
    assert_eq!(last(&confirmed), []);
    assert_eq!(ending(&join(&[&confirmed, &[captured()]])), OrderCommand::Confirm { paid_outside: false });
}

#[test]
fn what_is_short_releases_the_rest_only_once_all_answers_are_there() {
    let short = join(&[&[placed()], &[refused(Reserve(0), "insufficient-stock")]]);
    assert_eq!(last(&short), []);
    let answered = join(&[&short, &done(&[Reserve(1), RequestPayment])]);
    assert_eq!(last(&answered), commands(&[Release(1), AbandonPayment]));
    let undone =
        join(&[&answered, &[refused(Release(1), "reservation-not-open"), Input::Done(AbandonPayment)]]);
    assert_eq!(failure(&undone), (ReasonCode::InsufficientStock, 1));
}

#[test]
fn an_order_with_nothing_to_undo_fails_at_once() {
    let placed = Input::Event(CheckoutEvent::Placed { draft: draft(None, None) });
    let short =
        [placed, refused(Reserve(0), "insufficient-stock"), refused(Reserve(1), "insufficient-stock")];
    assert_eq!(failure(&short), (ReasonCode::InsufficientStock, 2));
}

#[test]
fn a_decline_ends_an_order_that_came_with_a_token() {
    let outputs = last(&join(&[&waiting(), &[declined()]]));
    assert_eq!(outputs, commands(&[Release(0), Release(1), AbandonPayment]));
}

#[test]
fn a_decline_allows_another_attempt_until_the_timeout_when_there_was_no_token() {
    let asked = join(&[&waiting_without_token(), &[requested(1)]]);
    assert_eq!(last(&asked), [Output::Effect(Authorize(1))]);
    let declined = join(&[&asked, &[declined()]]);
    assert_eq!(last(&declined), []);
    assert_eq!(last(&join(&[&declined, &[requested(2)]])), [Output::Effect(Authorize(2))]);
    let over = join(&[&declined, &[Input::Fired(PaymentTimeout)]]);
    assert_eq!(last(&over), commands(&[Release(0), Release(1), AbandonPayment]));
    let undone = join(&[&over, &done(&[Release(0), Release(1), AbandonPayment])]);
    assert_eq!(failure(&undone), (ReasonCode::PaymentTimedOut, 0));
}

#[test]
fn neither_timer_nor_cancellation_matters_once_the_money_is_held() {
    let taking = join(&[&waiting(), &[authorized(), Input::Fired(PaymentTimeout), cancelled()]]);
    assert_eq!(last(&taking), []);
    let done = join(&[&taking, &done(&[Confirm(0), Confirm(1)]), &[captured()]]);
    assert_eq!(ending(&done), OrderCommand::Confirm { paid_outside: false });
}

#[test]
fn a_cancellation_before_that_undoes_with_its_reason_and_gives_the_lines_back() {
    let from_cart = join(&[
        &[checked_out()],
        &done(&[PlaceOrder, Reserve(0), Reserve(1), RequestPayment, AwaitPayment]),
        &[cancelled()],
    ]);
    let undo = [Release(0), Release(1), AbandonPayment, GiveBack];
    assert_eq!(last(&from_cart), commands(&undo));
    assert_eq!(failure(&join(&[&from_cart, &done(&undo)])), (ReasonCode::CancelledByCustomer, 0));
}

#[test]
fn a_confirmation_that_comes_too_late_waits_for_the_capture_and_then_takes_all_back() {
    let late = [Input::Done(Confirm(0)), refused(Confirm(1), "reservation-expired")];
    let late = join(&[&waiting(), &[authorized()], &late]);
    assert_eq!(last(&late), [], "the capture has no answer");
    let answered = join(&[&late, &[captured()]]);
    let undo = [Release(1), Restock(0), AbandonPayment];
    assert_eq!(last(&answered), commands(&undo));
    assert_eq!(failure(&join(&[&answered, &done(&undo)])), (ReasonCode::InsufficientStock, 1));
}

#[test]
fn money_that_is_not_given_after_all_takes_the_goods_back() {
    let failed = Input::Event(CheckoutEvent::CaptureFailed { detail: "blocked".into() });
    let inputs = join(&[&waiting(), &[authorized()], &done(&[Confirm(0), Confirm(1)]), &[failed]]);
    assert_eq!(last(&inputs), commands(&[Restock(0), Restock(1), AbandonPayment]));
}

#[test]
fn an_order_paid_outside_gives_its_payment_up_and_goes_on() {
    let outside = join(&[&waiting(), &[Input::Event(CheckoutEvent::PaidOutside)]]);
    let steps = [Confirm(0), Confirm(1), AbandonPayment];
    assert_eq!(last(&outside), commands(&steps));
    let done = join(&[&outside, &done(&steps)]);
    assert_eq!(ending(&done), OrderCommand::Confirm { paid_outside: true });
}

/// Found by the property test of the whole shop.
#[test]
fn an_attempt_that_began_just_before_its_payment_was_given_up_keeps_nobody_waiting() {
    let outside = Input::Event(CheckoutEvent::PaidOutside);
    let inputs =
        join(&[&waiting_without_token(), &[requested(1), declined(), outside, requested(2), authorized()]]);
    let confirmed = join(&[&inputs, &done(&[Confirm(0), Confirm(1), AbandonPayment])]);
    assert_eq!(last(&confirmed), commands(&[AbandonPayment]));
    let ended = join(&[&confirmed, &[Input::Unchanged(AbandonPayment)]]);
    assert_eq!(ending(&ended), OrderCommand::Confirm { paid_outside: true });
}

/// A call of an earlier attempt that is sent again after a kill must not charge the present one's card.
#[test]
fn a_call_to_authorize_takes_the_token_of_its_own_attempt() {
    let inputs = join(&[&waiting_without_token(), &[requested(1), declined(), requested(2)]]);
    let (state, _) = after(&inputs);
    for attempt in [1, 2] {
        let Some(ProviderCall::Authorize(call)) = Checkout::effect(&state, &Authorize(attempt)) else {
            panic!("it is a call to authorize")
        };
        assert_eq!((call.attempt, call.token), (attempt, format!("tok_{attempt}").into()));
    }
    assert_eq!(Checkout::effect(&state, &Authorize(3)), None);
}

#[test]
fn an_undone_order_keeps_the_reason_that_was_recorded() {
    let reason = Reason { code: ReasonCode::CancelledByShop, detail: "recorded then".into() };
    let (state, _) = after(&waiting());
    let state = Checkout::enter(state, &CheckoutMove::Undo { reason: reason.clone() });
    let Some(ShopCommand::Order(_, OrderCommand::Fail { reason: told, .. })) =
        Checkout::command(&state, &FailOrder)
    else {
        panic!("the order is told")
    };
    assert_eq!(told, reason);
}

#[test]
fn an_order_that_costs_nothing_is_confirmed_and_the_provider_is_asked_for_nothing() {
    let mut draft = draft(Some("tok_ok"), None);
    draft.total = Money::zero(Currency::GBP);
    let placed = || Input::Event(CheckoutEvent::Placed { draft: draft.clone() });
    let mut expected = commands(&[Reserve(0), Reserve(1)]);
    expected.push(Output::Timer { step: PaymentTimeout, at: draft.pay_by });
    assert_eq!(last(&[placed()]), expected);
    let reserved = join(&[&[placed()], &done(&[Reserve(0), Reserve(1)])]);
    assert_eq!(last(&reserved), commands(&[AwaitPayment]));
    let awaited = join(&[&reserved, &done(&[AwaitPayment])]);
    assert_eq!(last(&awaited), commands(&[Confirm(0), Confirm(1), AbandonPayment]));
    let taken = join(&[&awaited, &done(&[Confirm(0), Confirm(1), AbandonPayment])]);
    assert_eq!(ending(&taken), OrderCommand::Confirm { paid_outside: false });
    // A timer that goes off meanwhile means nothing: nobody is late with money that nobody owes.
    let late = join(&[&[placed()], &[Input::Fired(PaymentTimeout)], &done(&[Reserve(0), Reserve(1)])]);
    assert_eq!(last(&late), commands(&[AwaitPayment]));
}

#[test]
fn every_move_reads_back_as_it_was_written() {
    let reason = Reason { code: ReasonCode::PaymentDeclined, detail: "no".into() };
    for (made, json) in [
        (CheckoutMove::Reserve, r#"{"move":"reserve"}"#),
        (CheckoutMove::Await { attempt: None }, r#"{"move":"await"}"#),
        (CheckoutMove::Await { attempt: Some(1) }, r#"{"move":"await","attempt":1}"#),
        (CheckoutMove::Authorize { attempt: 2 }, r#"{"move":"authorize","attempt":2}"#),
        (
            CheckoutMove::Undo { reason },
            r#"{"move":"undo","reason":{"code":"payment-declined","detail":"no"}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&made).unwrap(), json);
        assert_eq!(serde_json::from_str::<CheckoutMove>(json).unwrap(), made);
    }
}

/// Version 1 had no attempt in its calls to authorize: a call of then was about the present one.
#[test]
fn a_call_that_was_recorded_without_its_attempt_is_given_it() {
    let inputs = join(&[&waiting_without_token(), &[requested(1), declined()]]);
    let (state, _) = after(&inputs);
    let decided =
        |step: &str| Decided { kind: DecidedKind::Effect, step: step.into(), number: None, at: None };
    let mut outputs = [decided("authorize"), decided("capture")];
    Checkout::enter_version_1(state, &[requested(2)], &mut outputs);
    assert_eq!(outputs.map(|output| output.number), [Some(2), None]);
}

#[test]
fn every_step_reads_back_as_it_was_written() {
    let plain = [PlaceOrder, RequestPayment, AwaitPayment, Capture, ConfirmOrder];
    let others = [AbandonPayment, GiveBack, FailOrder, PaymentTimeout];
    let lines = [Reserve(3), Confirm(3), Release(3), Restock(3), Authorize(3)];
    for step in plain.into_iter().chain(others).chain(lines) {
        assert_eq!(CheckoutStep::parse(step.name(), step.number()), Some(step));
    }
    assert_eq!(CheckoutStep::parse("capture", Some(1)), None);
}
