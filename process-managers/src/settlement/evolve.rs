//! Applies an input to the state of a settlement: records what happened, and decides nothing.

use souk_eventsourcing::process::Input;

use super::input::SettlementEvent;
use super::state::{Debt, DebtKind, SettlementState};
use super::step::SettlementStep;

/// Returns the state after an input.
pub fn take_in(
    mut state: SettlementState,
    input: &Input<SettlementEvent, SettlementStep>,
) -> SettlementState {
    let Input::Event(event) = input else { return state };
    match event.clone() {
        SettlementEvent::VoidRequested(event) => {
            state.debt = Some(Debt {
                order: event.order,
                provider_payment_id: event.provider_payment_id,
                amount: event.amount,
                kind: DebtKind::Void(event.void),
                attempt: event.attempt,
            });
        }
        SettlementEvent::RefundRequested(event) => {
            state.debt = Some(Debt {
                order: event.order,
                provider_payment_id: event.provider_payment_id,
                amount: event.amount,
                kind: DebtKind::Refund(event.refund),
                attempt: event.attempt,
            });
        }
        SettlementEvent::Answered => state.is_answered = true,
    }
    state
}
