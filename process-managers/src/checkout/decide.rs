//! The next move of a checkout. It depends on nothing but the state, and is asked for only once every
//! command has its answer: what was asked for is undone after its own result came.

use souk_eventsourcing::process::Decision;

use souk_domain::order::event::{Reason, ReasonCode};

use super::moves::CheckoutMove;
use super::state::{CheckoutState, Payment, Phase, Units};
use super::step::CheckoutStep;

/// The next move, if there is one, and what it asks for.
pub fn decide(state: &CheckoutState) -> Option<Decision<CheckoutMove, CheckoutStep>> {
    let made = next_move(state)?;
    Some(Decision { outputs: made.outputs(state), made })
}

fn next_move(state: &CheckoutState) -> Option<CheckoutMove> {
    match state.phase {
        Phase::New | Phase::Placing if state.is_placed => Some(CheckoutMove::Reserve),
        Phase::New => state.draft.is_some().then_some(CheckoutMove::Place),
        Phase::Reserving => Some(reserved(state)),
        Phase::Waiting => waiting(state),
        Phase::Taking => taken(state),
        Phase::Undoing if state.is_payment_open => Some(CheckoutMove::Abandon),
        Phase::Undoing => Some(CheckoutMove::Fail),
        Phase::Placing | Phase::Ended => None,
    }
}

fn reserved(state: &CheckoutState) -> CheckoutMove {
    let is_short = state.lines_that(|units| units != Units::Held).next().is_some();
    let missing = is_short.then(|| insufficient_stock(state));
    // A buyer who wants the order no more is told so, whatever other reason there is.
    let failure =
        state.cancellation.clone().or(missing).or_else(|| time_over(state)).or_else(|| declined(state));
    let is_asked = state.payment == Payment::Requested && !state.is_free();
    let asked = is_asked.then(|| state.attempt());
    failure.map_or(CheckoutMove::Await { attempt: asked }, |reason| CheckoutMove::Undo { reason })
}

fn waiting(state: &CheckoutState) -> Option<CheckoutMove> {
    if let Some(reason) = &state.cancellation {
        return Some(CheckoutMove::Undo { reason: reason.clone() });
    }
    if state.is_paid_outside || state.is_free() {
        return Some(CheckoutMove::TakeOutside);
    }
    match state.payment {
        Payment::Authorized => return Some(CheckoutMove::Take),
        Payment::Requested if !state.is_time_over => {
            return Some(CheckoutMove::Authorize { attempt: state.attempt() });
        }
        _ => {}
    }
    time_over(state).or_else(|| declined(state)).map(|reason| CheckoutMove::Undo { reason })
}

fn taken(state: &CheckoutState) -> Option<CheckoutMove> {
    if state.is_capture_asked && state.payment == Payment::Authorized {
        // The provider has not answered.
        return None;
    }
    if state.lines_that(|units| units != Units::Taken).next().is_some() {
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
        detail: format!("not enough of {}", skus.join(", ")).into(),
    }
}

fn time_over(state: &CheckoutState) -> Option<Reason> {
    let detail = "nobody paid in time".into();
    let is_over = state.is_time_over && !state.is_free();
    is_over.then_some(Reason { code: ReasonCode::PaymentTimedOut, detail })
}

/// Without a token of its own, an order waits for another attempt after a decline.
fn declined(state: &CheckoutState) -> Option<Reason> {
    let has_one_attempt = state.terms.as_ref().is_some_and(|terms| terms.token.is_some());
    let is_final = match state.payment {
        Payment::Declined => has_one_attempt,
        Payment::CaptureFailed => true,
        _ => false,
    };
    is_final.then(|| payment_declined(state.decline.as_deref().unwrap_or_default()))
}

fn payment_declined(detail: &str) -> Reason {
    Reason { code: ReasonCode::PaymentDeclined, detail: detail.into() }
}
