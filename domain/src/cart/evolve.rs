//! What an event makes of a cart.

use std::collections::VecDeque;

use crate::names::CartId;

use super::event::{CartEvent, CartLine};
use super::state::{CartLineState, CartState, MERGES_MAX, ORDERS_OUT_MAX};

/// The state after an event.
pub fn evolve(mut state: CartState, event: &CartEvent) -> CartState {
    match event {
        CartEvent::ItemAdded(event) => {
            put_in(&mut state, &event.line);
            if let Some(customer) = &event.customer {
                state.customer = Some(customer.clone());
            }
        }
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
            state.customer = Some(event.customer.clone());
            remember_merge(&mut state.merged, event.from, event.from_revision);
        }
        CartEvent::CheckedOut(event) => {
            state.lines.clear();
            state.last_order = Some((event.draft.order, event.draft.placed_at));
            remember(&mut state.orders_out, event.draft.order, ORDERS_OUT_MAX);
        }
        CartEvent::GivenBack(event) => {
            event.lines.iter().for_each(|line| put_in(&mut state, line));
            state.orders_out.retain(|order| *order != event.order);
        }
    }
    state
}

/// Units are added; the price is the newer one.
fn put_in(state: &mut CartState, line: &CartLine) {
    state.last_order = None;
    let CartLine { product, unit_price, .. } = *line;
    let entry =
        state.lines.entry(line.sku.clone()).or_insert(CartLineState { product, quantity: 0, unit_price });
    entry.quantity = entry.quantity.saturating_add(line.quantity);
    entry.unit_price = unit_price;
    entry.product = product;
}

fn remember_merge(merged: &mut VecDeque<(CartId, u64)>, from: CartId, revision: u64) {
    merged.retain(|(cart, _)| *cart != from);
    remember(merged, (from, revision), MERGES_MAX);
}

fn remember<T>(memory: &mut VecDeque<T>, what: T, count_max: usize) {
    if memory.len() == count_max {
        memory.pop_front();
    }
    memory.push_back(what);
}
