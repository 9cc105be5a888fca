//! What an event makes of a cart.

use std::collections::VecDeque;

use crate::limits::LINE_UNITS_MAX;

use super::event::{CartEvent, CartLine};
use super::state::{CartState, LineState, REMEMBERED_MAX};

/// The state after an event.
pub fn evolve(mut state: CartState, event: &CartEvent) -> CartState {
    match event {
        CartEvent::ItemAdded(event) => put_in(&mut state, &event.line),
        CartEvent::ItemChanged(event) => {
            if let Some(line) = state.lines.get_mut(&event.sku) {
                line.quantity = event.quantity;
                line.unit_price = event.unit_price;
            }
        }
        CartEvent::ItemRemoved(event) => {
            state.lines.remove(&event.sku);
        }
        CartEvent::Cleared(_) | CartEvent::MergedAway(_) => state.lines.clear(),
        CartEvent::Merged(event) => {
            event.lines.iter().for_each(|line| put_in(&mut state, line));
            remember(&mut state.merged, (event.from, event.from_revision));
        }
        CartEvent::CheckedOut(event) => {
            state.lines.clear();
            state.last_order = Some((event.draft.order, event.draft.placed_at));
        }
        CartEvent::GivenBack(event) => {
            event.lines.iter().for_each(|line| put_in(&mut state, line));
            remember(&mut state.given_back, event.order);
        }
    }
    state
}

/// Units are added; the price is the newer one.
fn put_in(state: &mut CartState, line: &CartLine) {
    state.last_order = None;
    let entry = state.lines.entry(line.sku.clone()).or_insert(LineState {
        product: line.product,
        quantity: 0,
        unit_price: line.unit_price,
    });
    // Lines that come back may meet lines that were put in meanwhile.
    entry.quantity = entry.quantity.saturating_add(line.quantity).min(LINE_UNITS_MAX);
    entry.unit_price = line.unit_price;
    entry.product = line.product;
}

fn remember<T>(memory: &mut VecDeque<T>, what: T) {
    if memory.len() == REMEMBERED_MAX {
        memory.pop_front();
    }
    memory.push_back(what);
}
