//! The moves of a checkout, from one phase to the next, with what each asks for and what it makes of the
//! state. A transition records its moves, so that state is folded from what was decided then.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Output;

use souk_domain::order::event::Reason;

use super::state::{CheckoutState, Payment, Phase, Units};
use super::step::CheckoutStep;

/// A move, and the data that was decided with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum CheckoutMove {
    /// Has the order placed.
    Place,
    /// Reserves every line, opens the payment, sets the timer.
    Reserve,
    /// Tells the order that it waits for payment; asks the provider, when there is an attempt to be paid.
    Await {
        /// The attempt that the provider is asked about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// Asks the provider.
    Authorize {
        /// The attempt that the provider is asked about.
        attempt: u32,
    },
    /// Takes the units off the shelf and the held money.
    Take,
    /// Takes the units off the shelf; the money came another way, or there is nothing to pay.
    TakeOutside,
    /// Gives up a payment that is not needed after all.
    Abandon,
    /// Confirms the order: the end.
    Confirm,
    /// Undoes what was done.
    Undo {
        /// The reason why the order is cancelled.
        reason: Reason,
    },
    /// Tells the order that it came to nothing: the end.
    Fail,
}

impl CheckoutMove {
    /// Returns the outputs of the move, from the state that it is made in.
    pub(super) fn outputs(&self, state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
        match self {
            Self::Place => vec![Output::Command(CheckoutStep::PlaceOrder)],
            Self::Reserve => reserve(state),
            Self::Await { attempt } => {
                let authorize = attempt.map(|attempt| Output::Effect(CheckoutStep::Authorize(attempt)));
                [Output::Command(CheckoutStep::AwaitPayment)].into_iter().chain(authorize).collect()
            }
            Self::Authorize { attempt } => vec![Output::Effect(CheckoutStep::Authorize(*attempt))],
            Self::Take => confirm_lines(state).chain([Output::Effect(CheckoutStep::Capture)]).collect(),
            Self::TakeOutside => confirm_lines(state).chain(abandon(state)).collect(),
            Self::Abandon => vec![Output::Command(CheckoutStep::AbandonPayment)],
            Self::Confirm => vec![Output::Command(CheckoutStep::ConfirmOrder)],
            Self::Undo { .. } => undo(state),
            Self::Fail => vec![Output::Command(CheckoutStep::FailOrder)],
        }
    }

    /// Makes the move.
    pub(super) fn enter(&self, state: &mut CheckoutState) {
        match self {
            Self::Place => state.phase = Phase::Placing,
            Self::Reserve => {
                state.draft = None;
                state.phase = Phase::Reserving;
            }
            Self::Await { attempt } => wait(state, attempt.is_some()),
            Self::Authorize { .. } => wait(state, true),
            Self::Take => {
                state.phase = Phase::Taking;
                state.is_capture_asked = true;
            }
            Self::TakeOutside => {
                state.phase = Phase::Taking;
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

fn wait(state: &mut CheckoutState, is_provider_asked: bool) {
    state.phase = Phase::Waiting;
    // A buyer may still ask for a payment, and is to be told when it is too late.
    state.is_payment_open = true;
    if is_provider_asked {
        state.payment = Payment::Running;
    }
}

fn reserve(state: &CheckoutState) -> Vec<Output<CheckoutStep>> {
    let Some(terms) = &state.terms else { return Vec::new() };
    let mut outputs: Vec<_> = lines(state, |_| true, CheckoutStep::Reserve).collect();
    if terms.token.is_some() && !state.is_free() {
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
