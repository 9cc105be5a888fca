//! Applies events to the state of a SKU's stock.

use crate::OrderRef;

use super::event::StockEvent;
use super::state::{Reservation, StockState, is_covered};

/// Returns the state after an event.
pub fn evolve(mut state: StockState, event: &StockEvent) -> StockState {
    match event {
        StockEvent::Counted(event) => {
            state.counted = true;
            state.on_hand = event.on_hand;
        }
        StockEvent::Adjusted(event) => {
            state.counted = true;
            state.on_hand += event.change;
        }
        StockEvent::Reserved(event) => {
            let reservation = Reservation { quantity: event.quantity, expires_at: event.expires_at };
            state.reserved += i64::from(event.quantity);
            state.open.insert(event.order.clone(), reservation);
            state.by_expiry.insert((event.expires_at, event.order.clone()));
        }
        StockEvent::Released(event) => close(&mut state, &event.order),
        StockEvent::Expired(event) => close(&mut state, &event.order),
        StockEvent::Confirmed(event) => {
            close(&mut state, &event.order);
            state.on_hand -= i64::from(event.quantity);
        }
        StockEvent::Restocked(event) => state.on_hand += i64::from(event.quantity),
    }
    debug_assert!(is_covered(state.on_hand, state.reserved), "{event:?} oversells");
    debug_assert_eq!(state.open.len(), state.by_expiry.len());
    state
}

fn close(state: &mut StockState, order: &OrderRef) {
    if let Some(held) = state.open.remove(order) {
        state.by_expiry.remove(&(held.expires_at, order.clone()));
        state.reserved -= i64::from(held.quantity);
    }
}
