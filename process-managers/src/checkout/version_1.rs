//! Frozen rules for transitions of schema version 1. Those transitions did not record their moves, so this
//! file derives the moves again from the recorded inputs.
//!
//! Do not change this file when the rules change. Golden logs test that it still derives what was recorded.
//!
//! The rules of version 1 applied one input after another, and made all the moves that an input allowed
//! before they applied the next input. They made no transition while a command had no answer. So the inputs
//! of a transition include every answer that no earlier transition had.

use std::sync::Arc;

use souk_eventsourcing::process::{Input, RecordedOutput};

use souk_domain::order::event::{Draft, Reason, ReasonCode};
use souk_domain::personal_text::PersonalText;

use super::input::CheckoutEvent;
use super::state::{CheckoutState, FIRST_ATTEMPT, Payment, Phase, Terms, Units};
use super::step::CheckoutStep;

type In = Input<CheckoutEvent, CheckoutStep>;

/// Name of the step that was recorded without its payment attempt in version 1.
const AUTHORIZE: &str = "authorize";

/// Returns the state after a transition. Sets the payment attempt of each output that authorizes without one.
pub(super) fn enter(
    mut state: CheckoutState,
    inputs: &[In],
    outputs: &mut [RecordedOutput],
) -> CheckoutState {
    let mut unanswered = inputs.iter().filter(|input| is_answer(input)).count();
    for input in inputs {
        unanswered -= usize::from(is_answer(input));
        note(&mut state, input);
        while let Some(next) = next_move(&state, unanswered == 0) {
            unanswered += commands_of(&next, &state);
            make(&mut state, next);
        }
    }
    for output in outputs.iter_mut().filter(|output| output.step == AUTHORIZE) {
        output.number.get_or_insert(state.attempt());
    }
    state
}

fn is_answer(input: &In) -> bool {
    matches!(input, Input::Done(_) | Input::Unchanged(_) | Input::Refused { .. })
}

/// A move of version 1.
enum Move {
    Place,
    Reserve,
    Await,
    Authorize,
    CaptureMoney,
    ConfirmReservations,
    Abandon,
    Confirm,
    Undo(Reason),
    Fail,
}

fn note(state: &mut CheckoutState, input: &In) {
    match input {
        Input::Event(event) => note_event(state, event),
        Input::Done(step) | Input::Unchanged(step) => note_done(state, *step),
        Input::Refused { step, code, .. } => note_refused(state, *step, code),
        Input::Fired(_) => state.is_time_over = true,
    }
}

fn note_event(state: &mut CheckoutState, event: &CheckoutEvent) {
    match event {
        CheckoutEvent::CheckedOut { draft, lines } => {
            state.cart_lines = lines.as_slice().into();
            note_terms(state, draft);
            if !state.is_placed {
                state.draft = Some(Arc::new((**draft).clone()));
            }
        }
        CheckoutEvent::Placed { draft } => {
            note_terms(state, draft);
            state.is_placed = true;
        }
        CheckoutEvent::CancellationRequested { reason } => state.cancellation = Some(reason.clone()),
        CheckoutEvent::PaidOutside => state.is_paid_outside = true,
        CheckoutEvent::PaymentRequested { attempt, token, .. } => note_requested(state, *attempt, token),
        CheckoutEvent::Authorized { provider_payment_id } => {
            state.payment = Payment::Authorized;
            state.provider_payment_id = Some(provider_payment_id.clone());
        }
        CheckoutEvent::PaymentFailed { detail } => {
            state.payment = Payment::Declined;
            state.decline = Some(detail.clone());
        }
        CheckoutEvent::Captured => state.payment = Payment::Captured,
        CheckoutEvent::CaptureFailed { detail } => {
            state.payment = Payment::CaptureFailed;
            state.decline = Some(detail.clone());
        }
    }
}

fn note_terms(state: &mut CheckoutState, draft: &Draft) {
    if state.terms.is_none() {
        let terms = Terms::of(draft);
        state.units = vec![Units::Free; terms.lines.len()];
        state.terms = Some(Arc::new(terms));
    }
}

fn note_requested(state: &mut CheckoutState, attempt: u32, token: &PersonalText) {
    if matches!(state.payment, Payment::None | Payment::Declined) {
        state.payment = Payment::Requested;
        state.tokens.insert(attempt, token.clone());
        state.is_payment_open = true;
    }
}

fn note_done(state: &mut CheckoutState, step: CheckoutStep) {
    match step {
        CheckoutStep::PlaceOrder => {
            state.is_placed = true;
            state.draft = None;
        }
        CheckoutStep::Reserve(line) => set(state, line, Units::Reserved),
        CheckoutStep::Confirm(line) => set(state, line, Units::Confirmed),
        CheckoutStep::Release(line) | CheckoutStep::Restock(line) => set_free(state, line),
        CheckoutStep::RequestPayment => {
            let token = state.terms.as_ref().and_then(|terms| terms.token.clone());
            note_requested(state, FIRST_ATTEMPT, &token.unwrap_or_default());
        }
        _ => {}
    }
}

/// Marks the units of a line as no longer reserved. Units whose confirmation came too late become missing, so
/// that the order's failure names their SKU.
fn set_free(state: &mut CheckoutState, line: u32) {
    let was_overdue = line_of(state, line).is_some_and(|units| *units == Units::Overdue);
    set(state, line, if was_overdue { Units::Missing } else { Units::Free });
}

/// Notes a refused command. A refused release or restock needs no action: there is nothing to undo. A refused
/// payment request needs none either: another request was first, and its event arrives as an input.
fn note_refused(state: &mut CheckoutState, step: CheckoutStep, code: &str) {
    match step {
        CheckoutStep::PlaceOrder => state.draft = None,
        CheckoutStep::Confirm(line) if code == "reservation-expired" => set(state, line, Units::Overdue),
        CheckoutStep::Reserve(line) | CheckoutStep::Confirm(line) => set(state, line, Units::Missing),
        _ => {}
    }
}

fn set(state: &mut CheckoutState, line: u32, now: Units) {
    if let Some(units) = line_of(state, line) {
        *units = now;
    }
}

fn line_of(state: &mut CheckoutState, line: u32) -> Option<&mut Units> {
    usize::try_from(line).ok().and_then(|line| state.units.get_mut(line))
}

fn next_move(state: &CheckoutState, is_answered: bool) -> Option<Move> {
    match state.phase {
        Phase::New if state.is_placed => Some(Move::Reserve),
        Phase::New => state.draft.is_some().then_some(Move::Place),
        Phase::Placing => state.is_placed.then_some(Move::Reserve),
        Phase::Reserving if is_answered => Some(after_reserving(state)),
        Phase::Waiting if is_answered => while_waiting(state),
        Phase::Capturing if is_answered => after_capturing(state),
        Phase::Undoing if is_answered && state.is_payment_open => Some(Move::Abandon),
        Phase::Undoing if is_answered => Some(Move::Fail),
        _ => None,
    }
}

fn after_reserving(state: &CheckoutState) -> Move {
    let is_short = state.lines_where(|units| units != Units::Reserved).next().is_some();
    let missing = is_short.then(|| insufficient_stock(state));
    // A cancellation request counts first, before every other reason.
    let failure =
        state.cancellation.clone().or(missing).or_else(|| time_over(state)).or_else(|| declined(state));
    failure.map_or(Move::Await, Move::Undo)
}

/// Returns the next move while the checkout waits for payment. Held money overrides a timeout or a decline; a
/// cancellation request overrides held money.
fn while_waiting(state: &CheckoutState) -> Option<Move> {
    if let Some(reason) = &state.cancellation {
        return Some(Move::Undo(reason.clone()));
    }
    if state.is_paid_outside {
        return Some(Move::ConfirmReservations);
    }
    match state.payment {
        Payment::Authorized => return Some(Move::CaptureMoney),
        Payment::Requested if !state.is_time_over => return Some(Move::Authorize),
        _ => {}
    }
    time_over(state).or_else(|| declined(state)).map(Move::Undo)
}

fn after_capturing(state: &CheckoutState) -> Option<Move> {
    if state.is_capture_requested && state.payment == Payment::Authorized {
        // The provider has not answered the capture yet.
        return None;
    }
    if state.lines_where(|units| units != Units::Confirmed).next().is_some() {
        return Some(Move::Undo(insufficient_stock(state)));
    }
    match state.payment {
        Payment::Captured => Some(Move::Confirm),
        _ if !state.is_paid_outside => {
            Some(Move::Undo(declined(state).unwrap_or_else(|| payment_declined(""))))
        }
        _ if state.is_payment_open => Some(Move::Abandon),
        _ => Some(Move::Confirm),
    }
}

fn insufficient_stock(state: &CheckoutState) -> Reason {
    let skus: Vec<_> = state.missing_skus().iter().map(ToString::to_string).collect();
    Reason {
        code: ReasonCode::InsufficientStock,
        detail: format!("not enough of {}", skus.join(", ")).into(),
    }
}

fn time_over(state: &CheckoutState) -> Option<Reason> {
    let detail = "nobody paid in time".into();
    state.is_time_over.then_some(Reason { code: ReasonCode::PaymentTimedOut, detail })
}

/// Returns the reason if a decline ends the order. Without a payment token of its own, an order waits for
/// another attempt after a decline.
fn declined(state: &CheckoutState) -> Option<Reason> {
    let is_final = match state.payment {
        Payment::Declined => state.has_single_attempt(),
        Payment::CaptureFailed => true,
        _ => false,
    };
    is_final.then(|| payment_declined(state.decline.as_deref().unwrap_or_default()))
}

fn payment_declined(detail: &str) -> Reason {
    Reason { code: ReasonCode::PaymentDeclined, detail: detail.into() }
}

/// Returns the number of commands that a move requested.
fn commands_of(next: &Move, state: &CheckoutState) -> usize {
    let count = |is_match: fn(Units) -> bool| state.lines_where(is_match).count();
    let abandon = usize::from(state.is_payment_open);
    match next {
        Move::Place | Move::Await | Move::Abandon | Move::Confirm | Move::Fail => 1,
        Move::Authorize => 0,
        Move::Reserve => state.units.len() + usize::from(state.has_single_attempt()),
        Move::CaptureMoney => count(|units| units == Units::Reserved),
        Move::ConfirmReservations => count(|units| units == Units::Reserved) + abandon,
        Move::Undo(_) => {
            let is_from_cart = state.terms.as_ref().is_some_and(|terms| terms.cart.is_some());
            let give_back = usize::from(is_from_cart && !state.cart_lines.is_empty());
            let held = count(|units| matches!(units, Units::Reserved | Units::Overdue));
            held + count(|units| units == Units::Confirmed) + abandon + give_back
        }
    }
}

fn make(state: &mut CheckoutState, next: Move) {
    match next {
        Move::Place => state.phase = Phase::Placing,
        Move::Reserve => {
            if state.phase == Phase::New {
                state.draft = None;
            }
            state.phase = Phase::Reserving;
        }
        Move::Await | Move::Authorize => {
            state.phase = Phase::Waiting;
            // A buyer may still request a payment. Abandoning it makes later requests fail.
            state.is_payment_open = true;
            if state.payment == Payment::Requested {
                state.payment = Payment::Authorizing;
            }
        }
        Move::CaptureMoney => {
            state.phase = Phase::Capturing;
            state.is_capture_requested = true;
        }
        Move::ConfirmReservations => {
            state.phase = Phase::Capturing;
            state.is_payment_open = false;
        }
        Move::Abandon => state.is_payment_open = false,
        Move::Undo(reason) => {
            state.phase = Phase::Undoing;
            state.is_payment_open = false;
            state.reason = Some(reason);
        }
        Move::Confirm | Move::Fail => state.phase = Phase::Ended,
    }
}
