//! Applies an input to the state of a checkout: records what happened, and decides nothing.

use std::sync::Arc;

use souk_eventsourcing::process::Input;

use souk_domain::order::event::Draft;
use souk_domain::personal_text::PersonalText;

use super::input::CheckoutEvent;
use super::state::{CheckoutState, FIRST_ATTEMPT, Payment, Terms, Units};
use super::step::CheckoutStep;

/// Returns the state after an input.
pub fn take_in(mut state: CheckoutState, input: &Input<CheckoutEvent, CheckoutStep>) -> CheckoutState {
    match input {
        Input::Event(event) => note_event(&mut state, event),
        Input::Done(step) | Input::Unchanged(step) => note_done(&mut state, *step),
        Input::Refused { step, code, .. } => note_refused(&mut state, *step, code),
        Input::Fired(_) => state.is_time_over = true,
    }
    state
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

/// Notes a payment attempt, once. A request that the checkout itself sent arrives twice: as the answer to its
/// command, and as an event.
fn note_requested(state: &mut CheckoutState, attempt: u32, token: &PersonalText) {
    let is_new = state.tokens.insert(attempt, token.clone()).is_none();
    if is_new && matches!(state.payment, Payment::None | Payment::Declined) {
        state.payment = Payment::Requested;
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
