//! The moves of a checkout, from one phase to the next: the outputs that each move requests, and how it
//! changes the state.
//!
//! A transition records its moves. The state is computed from these recorded moves, never from today's rules.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Output;

use souk_domain::order::event::Reason;

use super::state::{CheckoutState, Payment, Phase, Units};
use super::step::CheckoutStep;

/// A move of a checkout, with the data that was decided with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum CheckoutMove {
    /// Places the order.
    Place,
    /// Reserves every line, requests the payment and starts the payment timeout.
    Reserve,
    /// Marks the order as waiting for payment, and authorizes the payment if an attempt exists already.
    Await {
        /// Number of the attempt to authorize; `None` if nobody has requested a payment yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// Asks the provider to authorize a payment attempt.
    Authorize {
        /// Number of the attempt to authorize.
        attempt: u32,
    },
    /// Confirms the reservations and captures the held money.
    #[serde(rename = "take")]
    CaptureMoney,
    /// Confirms the reservations without a capture: the order was paid outside the shop, or costs nothing.
    #[serde(rename = "take-outside")]
    ConfirmReservations,
    /// Abandons a payment that is no longer needed.
    Abandon,
    /// Confirms the order. This ends the checkout.
    Confirm,
    /// Undoes everything that was done.
    Undo {
        /// Reason why the order is cancelled.
        reason: Reason,
    },
    /// Ends the order as cancelled or timed out. This ends the checkout.
    Fail,
}

impl CheckoutMove {
    /// Returns the outputs that the move requests in a state.
    pub(super) fn outputs(&self, state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
        match self {
            Self::Place => vec![Output::Command(CheckoutStep::PlaceOrder)],
            Self::Reserve => reserve(state),
            Self::Await { attempt } => {
                let authorize = attempt.map(|attempt| Output::Effect(CheckoutStep::Authorize(attempt)));
                [Output::Command(CheckoutStep::AwaitPayment)].into_iter().chain(authorize).collect()
            }
            Self::Authorize { attempt } => vec![Output::Effect(CheckoutStep::Authorize(*attempt))],
            Self::CaptureMoney => {
                confirm_lines(state).chain([Output::Effect(CheckoutStep::Capture)]).collect()
            }
            Self::ConfirmReservations => confirm_lines(state).chain(abandon(state)).collect(),
            Self::Abandon => vec![Output::Command(CheckoutStep::AbandonPayment)],
            Self::Confirm => vec![Output::Command(CheckoutStep::ConfirmOrder)],
            Self::Undo { .. } => undo(state),
            Self::Fail => vec![Output::Command(CheckoutStep::FailOrder)],
        }
    }

    /// Applies the move to the state.
    pub(super) fn enter(&self, state: &mut CheckoutState) {
        match self {
            Self::Place => state.phase = Phase::Placing,
            Self::Reserve => {
                state.draft = None;
                state.phase = Phase::Reserving;
            }
            Self::Await { attempt } => enter_waiting(state, attempt.is_some()),
            Self::Authorize { .. } => enter_waiting(state, true),
            Self::CaptureMoney => {
                state.phase = Phase::Capturing;
                state.is_capture_requested = true;
            }
            Self::ConfirmReservations => {
                state.phase = Phase::Capturing;
                state.is_payment_open = false;
            }
            Self::Abandon => state.is_payment_open = false,
            Self::Undo { reason } => {
                state.phase = Phase::Undoing;
                state.is_payment_open = false;
                state.reason = Some(reason.clone());
            }
            Self::Confirm | Self::Fail => state.phase = Phase::Ended,
        }
    }
}

fn enter_waiting(state: &mut CheckoutState, is_authorization_requested: bool) {
    state.phase = Phase::Waiting;
    // A payment counts as open even if nobody has requested one yet, because the buyer may still do so. Once
    // it is abandoned, later requests fail.
    state.is_payment_open = true;
    if is_authorization_requested {
        state.payment = Payment::Authorizing;
    }
}

fn reserve(state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
    let Some(terms) = &state.terms else { return Vec::new() };
    let mut outputs: Vec<_> = line_commands(state, |_| true, CheckoutStep::Reserve).collect();
    if terms.has_single_attempt() && !state.is_free() {
        outputs.push(Output::Command(CheckoutStep::RequestPayment));
    }
    outputs.push(Output::Timer { step: CheckoutStep::PaymentTimeout, at: terms.pay_by });
    outputs
}

fn confirm_lines(state: &CheckoutState) -> impl Iterator<Item = Output<CheckoutStep>> {
    line_commands(state, |units| units == Units::Reserved, CheckoutStep::Confirm)
}

fn abandon(state: &CheckoutState) -> Option<Output<CheckoutStep>> {
    state.is_payment_open.then_some(Output::Command(CheckoutStep::AbandonPayment))
}

fn undo(state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
    let is_held = |units| matches!(units, Units::Reserved | Units::Overdue);
    let release = line_commands(state, is_held, CheckoutStep::Release);
    let restock = line_commands(state, |units| units == Units::Confirmed, CheckoutStep::Restock);
    let is_from_cart = state.terms.as_ref().is_some_and(|terms| terms.cart.is_some());
    let needs_give_back = is_from_cart && !state.cart_lines.is_empty();
    let give_back = needs_give_back.then_some(Output::Command(CheckoutStep::GiveBack));
    release.chain(restock).chain(abandon(state)).chain(give_back).collect()
}

/// Returns the command `step` for each line that matches.
fn line_commands(
    state: &CheckoutState,
    is_match: fn(Units) -> bool,
    step: fn(u32) -> CheckoutStep,
) -> impl Iterator<Item = Output<CheckoutStep>> {
    state.lines_where(is_match).map(move |line| Output::Command(step(line)))
}
