//! What becomes of a command to a cart.

use std::collections::BTreeMap;

use crate::limits::{LINE_UNITS_MAX, LINES_MAX};
use crate::money::Money;
use crate::names::{CartId, CustomerId, OrderId, Sku};
use crate::order::event::Draft;

use super::command::CartCommand;
use super::event::{
    CartEvent, CartLine, CheckedOut, Cleared, GivenBack, ItemAdded, ItemChanged, ItemRemoved, Merged,
    MergedAway,
};
use super::rejection::CartRejection;
use super::state::CartState;

type Decision = Result<Vec<CartEvent>, CartRejection>;

/// Decides a command.
pub fn decide(state: &CartState, command: &CartCommand) -> Decision {
    match command {
        CartCommand::Add { sku, product, quantity, unit_price, customer } => {
            let (sku, product, quantity, unit_price) = (sku.clone(), *product, *quantity, *unit_price);
            add(state, CartLine { sku, product, quantity, unit_price }, customer.clone())
        }
        CartCommand::Change { sku, quantity, unit_price } => change(state, sku, *quantity, *unit_price),
        CartCommand::Remove { sku } => Ok(remove(state, sku)),
        CartCommand::Clear => Ok(clear(state)),
        CartCommand::Merge { from, from_revision, lines, customer } => {
            merge(state, *from, *from_revision, lines, customer)
        }
        CartCommand::MergeAway { into } => Ok(merge_away(state, *into)),
        CartCommand::CheckOut { draft } => check_out(state, draft),
        CartCommand::GiveBack { order, lines } => Ok(give_back(state, *order, lines)),
    }
}

fn add(state: &CartState, line: CartLine, customer: Option<CustomerId>) -> Decision {
    check_currency(state, line.unit_price)?;
    let present = state.lines.get(&line.sku);
    if present.is_none() && state.lines.len() >= LINES_MAX {
        return Err(CartRejection::Full);
    }
    let sum = u64::from(line.quantity) + present.map_or(0, |present| u64::from(present.quantity));
    if line.quantity == 0 || sum > u64::from(LINE_UNITS_MAX) {
        return Err(CartRejection::QuantityLimit { asked: sum });
    }
    Ok(vec![ItemAdded { line, customer }.into()])
}

fn change(state: &CartState, sku: &Sku, quantity: u32, unit_price: Money) -> Decision {
    let Some(present) = state.lines.get(sku) else {
        return Err(CartRejection::LineNotFound { sku: sku.clone() });
    };
    if quantity == 0 {
        return Ok(remove(state, sku));
    }
    if quantity > LINE_UNITS_MAX {
        return Err(CartRejection::QuantityLimit { asked: u64::from(quantity) });
    }
    if present.unit_price.currency != unit_price.currency && state.lines.len() > 1 {
        return Err(CartRejection::CurrencyMismatch);
    }
    if present.quantity == quantity && present.unit_price == unit_price {
        return Ok(Vec::new());
    }
    Ok(vec![ItemChanged { sku: sku.clone(), quantity, unit_price }.into()])
}

fn check_currency(state: &CartState, unit_price: Money) -> Result<(), CartRejection> {
    let fits = state.currency().is_none_or(|currency| currency == unit_price.currency);
    if fits { Ok(()) } else { Err(CartRejection::CurrencyMismatch) }
}

fn remove(state: &CartState, sku: &Sku) -> Vec<CartEvent> {
    let is_there = state.lines.contains_key(sku);
    if is_there { vec![ItemRemoved { sku: sku.clone() }.into()] } else { Vec::new() }
}

fn skus(state: &CartState) -> Vec<Sku> {
    state.lines.keys().cloned().collect()
}

fn clear(state: &CartState) -> Vec<CartEvent> {
    if state.is_empty() { Vec::new() } else { vec![Cleared { skus: skus(state) }.into()] }
}

fn merge(
    state: &CartState,
    from: CartId,
    from_revision: u64,
    lines: &[CartLine],
    customer: &CustomerId,
) -> Decision {
    let was_merged = state.merged.iter().any(|(cart, revision)| *cart == from && *revision >= from_revision);
    if was_merged || lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut units: BTreeMap<&Sku, u64> = BTreeMap::new();
    for line in lines {
        check_currency(state, line.unit_price)?;
        let present = state.lines.get(&line.sku).map_or(0, |present| u64::from(present.quantity));
        *units.entry(&line.sku).or_insert(present) += u64::from(line.quantity);
    }
    let new_lines = units.keys().filter(|sku| !state.lines.contains_key(**sku)).count();
    if state.lines.len() + new_lines > LINES_MAX {
        return Err(CartRejection::Full);
    }
    if let Some(asked) = units.into_values().find(|sum| *sum > u64::from(LINE_UNITS_MAX)) {
        return Err(CartRejection::QuantityLimit { asked });
    }
    let (lines, customer) = (lines.to_vec(), customer.clone());
    Ok(vec![Merged { from, from_revision, lines, customer }.into()])
}

fn merge_away(state: &CartState, into: CartId) -> Vec<CartEvent> {
    if state.is_empty() { Vec::new() } else { vec![MergedAway { into, skus: skus(state) }.into()] }
}

fn check_out(state: &CartState, draft: &Draft) -> Decision {
    if state.is_empty() {
        return Err(CartRejection::Empty);
    }
    let ordered = draft.lines.iter().map(|line| (&line.sku, line.quantity));
    let in_cart = state.lines.iter().map(|(sku, line)| (sku, line.quantity));
    if ordered.collect::<BTreeMap<_, _>>() != in_cart.collect::<BTreeMap<_, _>>() {
        return Err(CartRejection::Changed);
    }
    Ok(vec![CheckedOut { draft: draft.clone(), lines: state.cart_lines() }.into()])
}

fn give_back(state: &CartState, order: OrderId, lines: &[CartLine]) -> Vec<CartEvent> {
    if state.given_back.contains(&order) {
        return Vec::new();
    }
    vec![GivenBack { order, lines: lines.to_vec() }.into()]
}
