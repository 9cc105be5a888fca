//! Decides the next move of a checkout.
//!
//! The decision depends only on the state. The runtime calls [`decide`] only when every command that was sent
//! has its answer, so a step is undone only after its result is known.

use souk_eventsourcing::process::Decision;

use souk_domain::order::event::{Reason, ReasonCode};

use super::moves::CheckoutMove;
use super::state::{CheckoutState, Payment, Phase, Units};
use super::step::CheckoutStep;

/// Returns the next move and the outputs that it requests, or `None` if the checkout has to wait.
pub fn decide(state: &CheckoutState) -> Option<Decision<CheckoutMove, CheckoutStep>> {
    let made = next_move(state)?;
    Some(Decision { outputs: made.outputs(state), next_move: made })
}

fn next_move(state: &CheckoutState) -> Option<CheckoutMove> {
    match state.phase {
        Phase::New | Phase::Placing if state.is_placed => Some(CheckoutMove::Reserve),
        Phase::New => state.draft.is_some().then_some(CheckoutMove::Place),
        Phase::Reserving => Some(after_reserving(state)),
        Phase::Waiting => while_waiting(state),
        Phase::Capturing => after_capturing(state),
        Phase::Undoing if state.is_payment_open => Some(CheckoutMove::Abandon),
        Phase::Undoing => Some(CheckoutMove::Fail),
        Phase::Placing | Phase::Ended => None,
    }
}

fn after_reserving(state: &CheckoutState) -> CheckoutMove {
    let is_short = state.lines_where(|units| units != Units::Reserved).next().is_some();
    let missing = is_short.then(|| insufficient_stock(state));
    // A cancellation request counts first, before every other reason.
    let failure =
        state.cancellation.clone().or(missing).or_else(|| time_over(state)).or_else(|| declined(state));
    let is_payment_requested = state.payment == Payment::Requested && !state.is_free();
    let attempt = is_payment_requested.then(|| state.attempt());
    failure.map_or(CheckoutMove::Await { attempt }, |reason| CheckoutMove::Undo { reason })
}

fn while_waiting(state: &CheckoutState) -> Option<CheckoutMove> {
    if let Some(reason) = &state.cancellation {
        return Some(CheckoutMove::Undo { reason: reason.clone() });
    }
    if state.is_paid_outside || state.is_free() {
        return Some(CheckoutMove::ConfirmReservations);
    }
    match state.payment {
        Payment::Authorized => return Some(CheckoutMove::CaptureMoney),
        Payment::Requested if !state.is_time_over => {
            return Some(CheckoutMove::Authorize { attempt: state.attempt() });
        }
        _ => {}
    }
    time_over(state).or_else(|| declined(state)).map(|reason| CheckoutMove::Undo { reason })
}

fn after_capturing(state: &CheckoutState) -> Option<CheckoutMove> {
    if state.is_capture_requested && state.payment == Payment::Authorized {
        // The provider has not answered the capture yet.
        return None;
    }
    if state.lines_where(|units| units != Units::Confirmed).next().is_some() {
        return Some(CheckoutMove::Undo { reason: insufficient_stock(state) });
    }
    match state.payment {
        Payment::Captured => Some(CheckoutMove::Confirm),
        _ if !state.is_paid_outside && !state.is_free() => {
            let reason = declined(state).unwrap_or_else(|| payment_declined(""));
            Some(CheckoutMove::Undo { reason })
        }
        _ if state.is_payment_open => Some(CheckoutMove::Abandon),
        _ => Some(CheckoutMove::Confirm),
    }
}

fn insufficient_stock(state: &CheckoutState) -> Reason {
    let skus: Vec<_> = state.missing_skus().iter().map(ToString::to_string).collect();
    Reason {
        code: ReasonCode::InsufficientStock,
        detail: format!("not enough units in stock: {}", skus.join(", ")).into(),
    }
}

fn time_over(state: &CheckoutState) -> Option<Reason> {
    let detail = "the payment did not arrive in time".into();
    let is_over = state.is_time_over && !state.is_free();
    is_over.then_some(Reason { code: ReasonCode::PaymentTimedOut, detail })
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
