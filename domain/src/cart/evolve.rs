//! Applies events to the state of a cart.

use std::collections::{BTreeMap, VecDeque};

use super::event::{CartEvent, CartLine, Merged, MergedAway};
use super::state::{CartLineState, CartState, MERGES_MAX, Merge, ORDERS_OUT_MAX, TRANSFERS_MAX, Transfer};

/// Returns the state after an event.
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
        CartEvent::Cleared(_) => {
            state.lines.clear();
            state.last_order = None;
        }
        CartEvent::MergedAway(event) => {
            event.lines.iter().for_each(|line| take_out(&mut state, line));
            if event.is_owed {
                let previous = state.last_transfer;
                let MergedAway { into, at_revision, .. } = *event;
                let transfer = Transfer { into, at_revision, lines: event.lines.clone(), previous };
                remember(&mut state.transfers, transfer, TRANSFERS_MAX);
            }
            state.last_transfer = Some(event.at_revision);
        }
        CartEvent::Merged(event) => {
            event.lines.iter().for_each(|line| put_in(&mut state, line));
            state.customer = Some(event.customer.clone());
            remember_merge(&mut state.merged, event);
        }
        CartEvent::CheckedOut(event) => {
            state.lines.clear();
            state.last_order = Some((event.draft.order, event.draft.placed_at));
            remember(&mut state.orders_out, event.draft.order, ORDERS_OUT_MAX);
        }
        CartEvent::OrderRecalled(_) => {}
        CartEvent::GivenBack(event) => {
            event.lines.iter().for_each(|line| put_in(&mut state, line));
            state.orders_out.retain(|order| *order != event.order);
        }
    }
    state
}

/// Adds the units of a line, and sets the newer price.
fn put_in(state: &mut CartState, line: &CartLine) {
    state.last_order = None;
    let CartLine { product, unit_price, .. } = *line;
    let entry =
        state.lines.entry(line.sku.clone()).or_insert(CartLineState { product, quantity: 0, unit_price });
    entry.quantity = entry.quantity.saturating_add(line.quantity);
    entry.unit_price = unit_price;
    entry.product = product;
}

fn take_out(state: &mut CartState, line: &CartLine) {
    let Some(present) = state.lines.get_mut(&line.sku) else { return };
    present.quantity = present.quantity.saturating_sub(line.quantity);
    if present.quantity == 0 {
        state.lines.remove(&line.sku);
    }
}

fn remember_merge(merged: &mut VecDeque<Merge>, event: &Merged) {
    let mut units = BTreeMap::new();
    for line in &event.fresh {
        let entry: &mut u32 = units.entry(line.sku.clone()).or_default();
        *entry = entry.saturating_add(line.quantity);
    }
    remember(merged, Merge { from: event.from, revision: event.from_revision, units }, MERGES_MAX);
}

fn remember<T>(memory: &mut VecDeque<T>, entry: T, count_max: usize) {
    if memory.len() == count_max {
        memory.pop_front();
    }
    memory.push_back(entry);
}
