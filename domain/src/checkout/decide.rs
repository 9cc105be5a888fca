//! What a checkout does next.
//!
//! An input is noted first (`super::evolve::note`); what follows depends on nothing but the state then
//! (`next_move`), and never while an answer is missing: what was asked for is undone only after its own
//! result came.

use souk_eventsourcing::process::{Input, Output};

use crate::order::event::{Reason, ReasonCode};

use super::evolve::{enter, note};
use super::input::CheckoutEvent;
use super::state::{CheckoutState, Payment, Phase, Units};
use super::step::CheckoutStep;

/// A step of the whole, from one phase to the next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    /// Has the order placed.
    Place,
    /// Reserves every line, opens the payment, sets the timer.
    Reserve,
    /// Tells the order that it waits for payment; asks the provider, when there is a try to be paid.
    Await,
    /// Asks the provider.
    Authorize,
    /// Takes the units off the shelf and the held money.
    Take,
    /// Takes the units off the shelf; the money came another way.
    TakeOutside,
    /// Gives up a payment that is not needed after all.
    Abandon,
    /// Confirms the order: the end.
    Confirm,
    /// Undoes what was done.
    Undo(Reason),
    /// Tells the order that it came to nothing: the end.
    Fail,
}

/// What an input leads to.
pub fn decide(
    state: &CheckoutState,
    input: &Input<CheckoutEvent, CheckoutStep>,
) -> Vec<Output<CheckoutStep>> {
    let mut state = state.clone();
    note(&mut state, input);
    let mut outputs = Vec::new();
    while let Some(next) = next_move(&state) {
        outputs.extend(outputs_of(&next, &state));
        enter(&mut state, next);
    }
    outputs
}

/// What is to be done, if anything.
pub(super) fn next_move(state: &CheckoutState) -> Option<Move> {
    let is_answered = state.unanswered == 0;
    match state.phase {
        Phase::New if state.is_placed => Some(Move::Reserve),
        Phase::New => state.draft.is_some().then_some(Move::Place),
        Phase::Placing => state.is_placed.then_some(Move::Reserve),
        Phase::Reserving if is_answered => Some(reserved(state)),
        Phase::Waiting if is_answered => waiting(state),
        Phase::Taking if is_answered => taken(state),
        Phase::Undoing if is_answered && state.is_payment_open => Some(Move::Abandon),
        Phase::Undoing if is_answered => Some(Move::Fail),
        _ => None,
    }
}

fn reserved(state: &CheckoutState) -> Move {
    let is_short = state.lines_that(|units| units != Units::Held).next().is_some();
    let missing = is_short.then(|| insufficient_stock(state));
    // Somebody who wants the order no more is told so, whatever else there is to say.
    let failure =
        state.cancellation.clone().or(missing).or_else(|| time_over(state)).or_else(|| declined(state));
    failure.map_or(Move::Await, Move::Undo)
}

/// Money that is held counts more than a timer or a decline; a wish to cancel counts more than money.
fn waiting(state: &CheckoutState) -> Option<Move> {
    if let Some(reason) = &state.cancellation {
        return Some(Move::Undo(reason.clone()));
    }
    if state.is_paid_outside {
        return Some(Move::TakeOutside);
    }
    match state.payment {
        Payment::Authorized => return Some(Move::Take),
        Payment::Requested if !state.is_time_over => return Some(Move::Authorize),
        _ => {}
    }
    time_over(state).or_else(|| declined(state)).map(Move::Undo)
}

fn taken(state: &CheckoutState) -> Option<Move> {
    if state.is_capture_asked && state.payment == Payment::Authorized {
        // The provider has not answered.
        return None;
    }
    if state.lines_that(|units| units != Units::Taken).next().is_some() {
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
    Reason { code: ReasonCode::InsufficientStock, detail: format!("not enough of {}", skus.join(", ")) }
}

fn time_over(state: &CheckoutState) -> Option<Reason> {
    let detail = "nobody paid in time".to_owned();
    state.is_time_over.then_some(Reason { code: ReasonCode::PaymentTimedOut, detail })
}

/// Without a token of its own, an order waits for another try after a decline.
fn declined(state: &CheckoutState) -> Option<Reason> {
    let has_one_try = state.terms.as_ref().is_some_and(|terms| terms.token.is_some());
    let is_final = match state.payment {
        Payment::Declined => has_one_try,
        Payment::CaptureFailed => true,
        _ => false,
    };
    is_final.then(|| payment_declined(state.decline.as_deref().unwrap_or_default()))
}

fn payment_declined(detail: &str) -> Reason {
    Reason { code: ReasonCode::PaymentDeclined, detail: detail.to_owned() }
}

/// What a move asks for, from the state that it is made in.
pub(super) fn outputs_of(next: &Move, state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
    match next {
        Move::Place => vec![Output::Command(CheckoutStep::PlaceOrder)],
        Move::Reserve => reserve(state),
        Move::Await if state.payment == Payment::Requested => {
            vec![Output::Command(CheckoutStep::AwaitPayment), Output::Effect(CheckoutStep::Authorize)]
        }
        Move::Await => vec![Output::Command(CheckoutStep::AwaitPayment)],
        Move::Authorize => vec![Output::Effect(CheckoutStep::Authorize)],
        Move::Take => confirm_lines(state).chain([Output::Effect(CheckoutStep::Capture)]).collect(),
        Move::TakeOutside => confirm_lines(state).chain(abandon(state)).collect(),
        Move::Abandon => vec![Output::Command(CheckoutStep::AbandonPayment)],
        Move::Confirm => vec![Output::Command(CheckoutStep::ConfirmOrder)],
        Move::Undo(_) => undo(state),
        Move::Fail => vec![Output::Command(CheckoutStep::FailOrder)],
    }
}

fn reserve(state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
    let Some(terms) = &state.terms else { return Vec::new() };
    let mut outputs: Vec<_> = lines(state, |_| true, CheckoutStep::Reserve).collect();
    if terms.token.is_some() {
        outputs.push(Output::Command(CheckoutStep::RequestPayment));
    }
    outputs.push(Output::Timer { step: CheckoutStep::PaymentTimeout, at: terms.pay_by });
    outputs
}

fn confirm_lines(state: &CheckoutState) -> impl Iterator<Item = Output<CheckoutStep>> {
    lines(state, |units| units == Units::Held, CheckoutStep::Confirm)
}

fn abandon(state: &CheckoutState) -> Option<Output<CheckoutStep>> {
    state.is_payment_open.then_some(Output::Command(CheckoutStep::AbandonPayment))
}

fn undo(state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
    let is_held = |units| matches!(units, Units::Held | Units::Overdue);
    let release = lines(state, is_held, CheckoutStep::Release);
    let restock = lines(state, |units| units == Units::Taken, CheckoutStep::Restock);
    let is_from_cart = state.terms.as_ref().is_some_and(|terms| terms.cart.is_some());
    let gives_back = is_from_cart && !state.cart_lines.is_empty();
    let give_back = gives_back.then_some(Output::Command(CheckoutStep::GiveBack));
    release.chain(restock).chain(abandon(state)).chain(give_back).collect()
}

fn lines(
    state: &CheckoutState,
    stand: fn(Units) -> bool,
    step: fn(u32) -> CheckoutStep,
) -> impl Iterator<Item = Output<CheckoutStep>> {
    state.lines_that(stand).map(move |line| Output::Command(step(line)))
}
