use souk_eventsourcing::process::{Input, Output, Process, RecordedOutputKind, Step};
use souk_eventsourcing::testkit::{noon, run_process};
use uuid::Uuid;

use super::step::CheckoutStep::{
    AbandonPayment, Authorize, AwaitPayment, Capture, Confirm, ConfirmOrder, FailOrder, GiveBack,
    PaymentTimeout, PlaceOrder, Release, RequestPayment, Reserve, Restock,
};
use super::*;
use souk_domain::money::{Currency, Money};
use souk_domain::order::OrderCommand;
use souk_domain::order::draft::DraftFields;
use souk_domain::order::event::{Draft, OrderLine, Reason, ReasonCode};
use souk_domain::{CartId, OrderId, ProductId, Sku};

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
    let fields = DraftFields {
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
    Box::new(Draft::assemble(fields).unwrap())
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

/// Returns the state of a checkout after some inputs, and the outputs of the last input.
fn after(inputs: &[In]) -> (CheckoutState, Vec<Out>) {
    let mut state = CheckoutState::default();
    let outputs = run_process::<Checkout>(&mut state, inputs, noon());
    (state, outputs.into_iter().next_back().unwrap_or_default())
}

fn last(inputs: &[In]) -> Vec<Out> {
    after(inputs).1
}

fn join(fields: &[&[In]]) -> Vec<In> {
    fields.concat()
}

/// Inputs of a checkout that waits for the provider's answer.
fn waiting() -> Vec<In> {
    join(&[&[placed()], &done(&[Reserve(0), Reserve(1), RequestPayment]), &done(&[AwaitPayment])])
}

/// Inputs of a checkout without a payment token, which waits until the buyer requests a payment.
fn waiting_without_token() -> Vec<In> {
    let placed = Input::Event(CheckoutEvent::Placed { draft: draft(None, None) });
    join(&[&[placed], &done(&[Reserve(0), Reserve(1), AwaitPayment])])
}

/// Returns the checkout's last command, which gives the order its final status.
fn ending(inputs: &[In]) -> OrderCommand {
    let (state, outputs) = after(inputs);
    let [Output::Command(step)] = &outputs[..] else { panic!("{outputs:?}") };
    assert!(Checkout::is_ended(&state), "the instance ends with the last command to the order");
    match Checkout::command(&state, step) {
        Some(AggregateCommand::Order(_, command)) => command,
        other => panic!("{other:?}"),
    }
}

/// Returns the reason and the number of failed SKUs in the checkout's last command.
fn failure(inputs: &[In]) -> (ReasonCode, usize) {
    match ending(inputs) {
        OrderCommand::Fail { reason, failed_skus } => (reason.code, failed_skus.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_placed_order_reserves_every_line_and_requests_its_payment() {
    let mut expected = commands(&[Reserve(0), Reserve(1), RequestPayment]);
    expected.push(Output::Timer { step: PaymentTimeout, at: draft(None, None).pay_by });
    assert_eq!(last(&[placed()]), expected);
}

#[test]
fn an_order_from_a_cart_is_placed_and_reserved_once() {
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
fn the_draft_is_kept_until_the_place_command_has_its_answer() {
    let (state, _) = after(&[checked_out(), placed()]);
    assert!(matches!(
        Checkout::command(&state, &PlaceOrder),
        Some(AggregateCommand::Order(_, OrderCommand::Place(_)))
    ));
}

// Proves: orders.checkout
#[test]
fn the_payment_is_authorized_only_after_every_line_is_reserved() {
    let reserved = done(&[Reserve(0), RequestPayment, Reserve(1)]);
    assert_eq!(last(&join(&[&[placed()], &reserved[..2]])), []);
    let expected = [Output::Command(AwaitPayment), Output::Effect(Authorize(1))];
    assert_eq!(last(&join(&[&[placed()], &reserved])), expected);
    assert_eq!(
        last(&join(&[&waiting(), &[requested(1)]])),
        [],
        "the checkout's own payment request is not another attempt"
    );
}

// Proves: orders.checkout
#[test]
fn reservations_are_confirmed_while_the_money_is_captured_and_then_the_order_is_confirmed() {
    let capturing = join(&[&waiting(), &[authorized()]]);
    let expected = [commands(&[Confirm(0), Confirm(1)]), vec![Output::Effect(Capture)]].concat();
    assert_eq!(last(&capturing), expected);
    let confirmed = join(&[&capturing, &done(&[Confirm(0), Confirm(1)])]);
    assert_eq!(last(&confirmed), []);
    assert_eq!(ending(&join(&[&confirmed, &[captured()]])), OrderCommand::Confirm { paid_outside: false });
}

// Proves: orders.undo
#[test]
fn a_line_without_stock_releases_the_other_lines_after_all_answers_arrived() {
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

// Proves: payments.another-attempt
#[test]
fn a_decline_allows_another_attempt_until_the_timeout_when_there_was_no_token() {
    let requested_once = join(&[&waiting_without_token(), &[requested(1)]]);
    assert_eq!(last(&requested_once), [Output::Effect(Authorize(1))]);
    let declined = join(&[&requested_once, &[declined()]]);
    assert_eq!(last(&declined), []);
    assert_eq!(last(&join(&[&declined, &[requested(2)]])), [Output::Effect(Authorize(2))]);
    let timed_out = join(&[&declined, &[Input::Fired(PaymentTimeout)]]);
    assert_eq!(last(&timed_out), commands(&[Release(0), Release(1), AbandonPayment]));
    let undone = join(&[&timed_out, &done(&[Release(0), Release(1), AbandonPayment])]);
    assert_eq!(failure(&undone), (ReasonCode::PaymentTimedOut, 0));
}

#[test]
fn timeouts_and_cancellations_are_ignored_while_the_money_is_captured() {
    let capturing = join(&[&waiting(), &[authorized(), Input::Fired(PaymentTimeout), cancelled()]]);
    assert_eq!(last(&capturing), []);
    let done = join(&[&capturing, &done(&[Confirm(0), Confirm(1)]), &[captured()]]);
    assert_eq!(ending(&done), OrderCommand::Confirm { paid_outside: false });
}

// Proves: cart.lines-come-back
// Proves: orders.cancel-before-confirmation
#[test]
fn a_cancellation_before_payment_undoes_the_order_and_refills_the_cart() {
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
fn an_expired_reservation_undoes_the_order_after_the_capture_is_answered() {
    let late = [Input::Done(Confirm(0)), refused(Confirm(1), "reservation-expired")];
    let late = join(&[&waiting(), &[authorized()], &late]);
    assert_eq!(last(&late), [], "the capture has no answer yet");
    let answered = join(&[&late, &[captured()]]);
    let undo = [Release(1), Restock(0), AbandonPayment];
    assert_eq!(last(&answered), commands(&undo));
    assert_eq!(failure(&join(&[&answered, &done(&undo)])), (ReasonCode::InsufficientStock, 1));
}

// Proves: orders.undo
#[test]
fn a_failed_capture_restocks_the_confirmed_lines() {
    let failed = Input::Event(CheckoutEvent::CaptureFailed { detail: "blocked".into() });
    let inputs = join(&[&waiting(), &[authorized()], &done(&[Confirm(0), Confirm(1)]), &[failed]]);
    assert_eq!(last(&inputs), commands(&[Restock(0), Restock(1), AbandonPayment]));
}

// Proves: orders.paid-outside
#[test]
fn an_order_paid_outside_abandons_its_payment_and_is_confirmed() {
    let outside = join(&[&waiting(), &[Input::Event(CheckoutEvent::PaidOutside)]]);
    let steps = [Confirm(0), Confirm(1), AbandonPayment];
    assert_eq!(last(&outside), commands(&steps));
    let done = join(&[&outside, &done(&steps)]);
    assert_eq!(ending(&done), OrderCommand::Confirm { paid_outside: true });
}

/// Regression test for a failure that the property test of the whole shop found.
#[test]
fn an_order_paid_outside_is_confirmed_although_a_new_attempt_began() {
    let outside = Input::Event(CheckoutEvent::PaidOutside);
    let inputs =
        join(&[&waiting_without_token(), &[requested(1), declined(), outside, requested(2), authorized()]]);
    let confirmed = join(&[&inputs, &done(&[Confirm(0), Confirm(1), AbandonPayment])]);
    assert_eq!(last(&confirmed), commands(&[AbandonPayment]));
    let ended = join(&[&confirmed, &[Input::Unchanged(AbandonPayment)]]);
    assert_eq!(ending(&ended), OrderCommand::Confirm { paid_outside: true });
}

/// A call of an earlier attempt, sent again after a crash, must not charge the card of the current attempt.
#[test]
fn a_call_to_authorize_uses_the_token_of_its_own_attempt() {
    let inputs = join(&[&waiting_without_token(), &[requested(1), declined(), requested(2)]]);
    let (state, _) = after(&inputs);
    for attempt in [1, 2] {
        let Some(ProviderCall::Authorize(call)) = Checkout::effect(&state, &Authorize(attempt)) else {
            panic!("the step is a call to authorize")
        };
        assert_eq!((call.attempt, call.token), (attempt, format!("tok_{attempt}").into()));
    }
    assert_eq!(Checkout::effect(&state, &Authorize(3)), None);
}

#[test]
fn a_failed_order_has_the_reason_that_its_move_recorded() {
    let reason = Reason { code: ReasonCode::CancelledByShop, detail: "recorded then".into() };
    let (state, _) = after(&waiting());
    let state = Checkout::enter(state, &CheckoutMove::Undo { reason: reason.clone() });
    let Some(AggregateCommand::Order(_, OrderCommand::Fail { reason: sent, .. })) =
        Checkout::command(&state, &FailOrder)
    else {
        panic!("the step is a command to the order")
    };
    assert_eq!(sent, reason);
}

// Proves: orders.free-order
#[test]
fn a_free_order_is_confirmed_without_a_call_to_the_provider() {
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
    let answered = join(&[&awaited, &done(&[Confirm(0), Confirm(1), AbandonPayment])]);
    assert_eq!(ending(&answered), OrderCommand::Confirm { paid_outside: false });
    // The payment timeout has no effect on an order that costs nothing.
    let late = join(&[&[placed()], &[Input::Fired(PaymentTimeout)], &done(&[Reserve(0), Reserve(1)])]);
    assert_eq!(last(&late), commands(&[AwaitPayment]));
}

#[test]
fn every_move_is_decoded_as_it_was_encoded() {
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

/// Version 1 recorded calls to authorize without their attempt. Such a call belongs to the attempt that was
/// current when the call was recorded.
#[test]
fn a_recorded_call_without_an_attempt_gets_the_current_one() {
    let inputs = join(&[&waiting_without_token(), &[requested(1), declined()]]);
    let (state, _) = after(&inputs);
    let recorded = |step: &str| RecordedOutput {
        kind: RecordedOutputKind::Effect,
        step: step.into(),
        number: None,
        at: None,
    };
    let mut outputs = [recorded("authorize"), recorded("capture")];
    Checkout::enter_version_1(state, &[requested(2)], &mut outputs);
    assert_eq!(outputs.map(|output| output.number), [Some(2), None]);
}

#[test]
fn every_step_is_parsed_from_its_name_and_number() {
    let plain = [PlaceOrder, RequestPayment, AwaitPayment, Capture, ConfirmOrder];
    let others = [AbandonPayment, GiveBack, FailOrder, PaymentTimeout];
    let lines = [Reserve(3), Confirm(3), Release(3), Restock(3), Authorize(3)];
    for step in plain.into_iter().chain(others).chain(lines) {
        assert_eq!(CheckoutStep::parse(step.name(), step.number()), Some(step));
    }
    assert_eq!(CheckoutStep::parse("capture", Some(1)), None);
}
