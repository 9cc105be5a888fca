//! Decides commands to a cart.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use crate::limits::{LINE_UNITS_MAX, LINES_MAX, TOTAL_MINOR_MAX};
use crate::money::{Currency, Money};
use crate::order::event::Draft;
use crate::{CartId, CustomerId, OrderId, Sku};

use super::command::CartCommand;
use super::event::{
    CartEvent, CartLine, CheckedOut, Cleared, GivenBack, ItemAdded, ItemChanged, ItemRemoved, Merged,
    MergedAway, OrderRecalled,
};
use super::rejection::CartRejection;
use super::state::{CartLineState, CartState};

type Decision = Result<Vec<CartEvent>, CartRejection>;

/// Returns the events of a command at a time, or the reason why it is refused.
pub fn decide(state: &CartState, command: &CartCommand, now: Timestamp) -> Decision {
    match command {
        CartCommand::Add { sku, product, quantity, unit_price, customer } => {
            let line = CartLine {
                sku: sku.clone(),
                product: *product,
                quantity: *quantity,
                unit_price: *unit_price,
            };
            add(state, line, customer.clone())
        }
        CartCommand::AddNotForSale { sku } => Err(CartRejection::NotForSale { sku: sku.clone() }),
        CartCommand::Change { sku, quantity, unit_price } => change(state, sku, *quantity, *unit_price),
        CartCommand::Remove { sku } => Ok(remove(state, sku)),
        CartCommand::Clear => Ok(clear(state)),
        CartCommand::Merge { from, from_revision, lines, previous_transfer, customer } => {
            Ok(merge(state, (*from, *from_revision), lines, *previous_transfer, customer))
        }
        CartCommand::GiveAway { into, at_revision } => Ok(give_away(state, *into, *at_revision)),
        CartCommand::CheckOut { draft } => check_out(state, draft),
        CartCommand::RecallOrder { order } => recall_order(state, *order, now),
        CartCommand::GiveBack { order, lines } => Ok(give_back(state, *order, lines)),
    }
}

fn add(state: &CartState, line: CartLine, customer: Option<CustomerId>) -> Decision {
    let sum = u64::from(line.quantity) + u64::from(state.quantity(&line.sku));
    if line.quantity == 0 {
        return Err(CartRejection::NoUnits);
    }
    if sum > u64::from(LINE_UNITS_MAX) {
        return Err(CartRejection::QuantityLimit { units: sum });
    }
    if state.lines.len() >= LINES_MAX && !state.lines.contains_key(&line.sku) {
        return Err(CartRejection::Full);
    }
    check_currency(state, &line.sku, line.unit_price)?;
    check_total(state, &[(&line.sku, sum, line.unit_price)])?;
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
        return Err(CartRejection::QuantityLimit { units: u64::from(quantity) });
    }
    check_currency(state, sku, unit_price)?;
    check_total(state, &[(sku, u64::from(quantity), unit_price)])?;
    if present.quantity == quantity && present.unit_price == unit_price {
        return Ok(Vec::new());
    }
    Ok(vec![ItemChanged { sku: sku.clone(), quantity, unit_price }.into()])
}

/// Checks that a price has the currency of the other lines.
fn check_currency(state: &CartState, sku: &Sku, unit_price: Money) -> Result<(), CartRejection> {
    let other = state.lines.iter().find(|(present, _)| *present != sku);
    match other {
        Some((_, line)) if line.unit_price.currency != unit_price.currency => {
            Err(CartRejection::CurrencyMismatch {
                sku: sku.clone(),
                currency: unit_price.currency,
                others: line.unit_price.currency,
                is_line: state.lines.contains_key(sku),
            })
        }
        _ => Ok(()),
    }
}

/// Checks that the cart does not cost more than an order may. `lines` replace the lines of their SKUs. An
/// older cart that exceeds the limit already may only become cheaper.
fn check_total(state: &CartState, lines: &[(&Sku, u64, Money)]) -> Result<(), CartRejection> {
    let changed: HashSet<&Sku> = lines.iter().map(|(sku, _, _)| *sku).collect();
    let cost = |price: Money, quantity: u64| i128::from(price.amount) * i128::from(quantity);
    let of_state = |line: &CartLineState| cost(line.unit_price, u64::from(line.quantity));
    let before: i128 = state.lines.iter().map(|(_, line)| of_state(line)).sum();
    let kept = state.lines.iter().filter(|(sku, _)| !changed.contains(sku));
    let kept: i128 = kept.map(|(_, line)| of_state(line)).sum();
    let total = kept + lines.iter().map(|(_, quantity, price)| cost(*price, *quantity)).sum::<i128>();
    if total > i128::from(TOTAL_MINOR_MAX).max(before) { Err(CartRejection::TotalTooLarge) } else { Ok(()) }
}

fn remove(state: &CartState, sku: &Sku) -> Vec<CartEvent> {
    let is_there = state.lines.contains_key(sku);
    if is_there { vec![ItemRemoved { sku: sku.clone() }.into()] } else { Vec::new() }
}

fn clear(state: &CartState) -> Vec<CartEvent> {
    let skus: Vec<Sku> = state.lines.keys().cloned().collect();
    // Clearing a cart whose lines were just ordered is recorded too, so that the next checkout of the empty
    // cart does not return that order.
    let is_unchanged = skus.is_empty() && state.last_order.is_none();
    if is_unchanged { Vec::new() } else { vec![Cleared { skus }.into()] }
}

fn merge(
    state: &CartState,
    (from, from_revision): (CartId, u64),
    lines: &[CartLine],
    previous_transfer: Option<u64>,
    customer: &CustomerId,
) -> Vec<CartEvent> {
    let mut earlier_merges = state.merges_of(from);
    if earlier_merges.any(|(revision, _)| revision >= from_revision) {
        return Vec::new();
    }
    // In logs written before 2026-11-30, a merge that was interrupted left its units in both carts.
    let mut in_both: BTreeMap<&Sku, u32> = BTreeMap::new();
    let had_left = |revision: u64| previous_transfer.is_some_and(|previous| previous >= revision);
    let duplicated = state.merges_of(from).filter(|(revision, _)| !had_left(*revision));
    for (sku, units) in duplicated.flat_map(|(_, units)| units) {
        *in_both.entry(sku).or_default() += units;
    }
    let fresh = without(lines, &in_both);
    let lines = capped(state, &fresh);
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Merged { from, from_revision, lines, fresh, customer: customer.clone() }.into()]
}

/// Checks that this cart can take in the lines of another cart. This is checked before the lines leave the
/// other cart; afterwards this cart takes them in even if it has changed.
pub fn check_merge(state: &CartState, lines: &[CartLine]) -> Result<(), CartRejection> {
    let lines = capped(state, lines);
    check_merged_currency(state, &lines)?;
    let new_lines = lines.iter().filter(|line| !state.lines.contains_key(&line.sku)).count();
    // A cart that exceeds the limit, because lines came back, still takes in units of its existing lines.
    if new_lines > 0 && state.lines.len() + new_lines > LINES_MAX {
        return Err(CartRejection::Full);
    }
    let units = |line: &CartLine| u64::from(state.quantity(&line.sku)) + u64::from(line.quantity);
    let sums: Vec<_> = lines.iter().map(|line| (&line.sku, units(line), line.unit_price)).collect();
    check_total(state, &sums)
}

/// Returns lines with some units removed. Lines without remaining units are dropped.
fn without(lines: &[CartLine], units: &BTreeMap<&Sku, u32>) -> Vec<CartLine> {
    let left = |line: &CartLine| {
        let quantity = line.quantity.saturating_sub(units.get(&line.sku).copied().unwrap_or(0));
        (quantity > 0).then(|| CartLine { quantity, ..line.clone() })
    };
    lines.iter().filter_map(left).collect()
}

/// Returns lines with only as many units as the limit allows, each SKU once.
fn capped(state: &CartState, lines: &[CartLine]) -> Vec<CartLine> {
    let mut capped: Vec<CartLine> = Vec::with_capacity(lines.len());
    let mut places: HashMap<&Sku, usize> = HashMap::with_capacity(lines.len());
    for line in lines {
        let place = *places.entry(&line.sku).or_insert(capped.len());
        if place == capped.len() {
            capped.push(CartLine { quantity: 0, ..line.clone() });
        }
        let room = LINE_UNITS_MAX.saturating_sub(state.quantity(&line.sku));
        capped[place].quantity = capped[place].quantity.saturating_add(line.quantity).min(room);
        capped[place].unit_price = line.unit_price;
    }
    capped.retain(|line| line.quantity > 0 || state.lines.contains_key(&line.sku));
    capped
}

/// Checks that all lines have one currency after a merge. If lines that came back brought in a second
/// currency before, only the lines that stay are compared.
fn check_merged_currency(state: &CartState, lines: &[CartLine]) -> Result<(), CartRejection> {
    let incoming: BTreeMap<&Sku, Currency> =
        lines.iter().map(|line| (&line.sku, line.unit_price.currency)).collect();
    let staying = state.lines.iter().find(|(sku, _)| !incoming.contains_key(sku));
    let staying = staying.map(|(_, line)| line.unit_price.currency);
    let Some(others) = staying.or_else(|| incoming.values().next().copied()) else { return Ok(()) };
    match incoming.into_iter().find(|(_, currency)| *currency != others) {
        None => Ok(()),
        Some((sku, currency)) => {
            let is_line = state.lines.contains_key(sku);
            Err(CartRejection::CurrencyMismatch { sku: sku.clone(), currency, others, is_line })
        }
    }
}

fn give_away(state: &CartState, into: CartId, at_revision: u64) -> Vec<CartEvent> {
    let lines = state.cart_lines();
    if lines.is_empty() {
        return Vec::new();
    }
    vec![MergedAway { into, at_revision, lines, is_owed: true }.into()]
}

fn recall_order(state: &CartState, order: Option<OrderId>, now: Timestamp) -> Decision {
    if !state.is_empty() {
        return Err(CartRejection::Changed);
    }
    let recent = state.recent_order(now).filter(|recent| order == Some(*recent));
    let order = recent.ok_or(CartRejection::Empty)?;
    Ok(vec![OrderRecalled { order }.into()])
}

fn check_out(state: &CartState, draft: &Draft) -> Decision {
    if state.is_empty() {
        return Err(CartRejection::Empty);
    }
    let mut ordered: BTreeMap<&Sku, u64> = BTreeMap::new();
    for line in &draft.lines {
        *ordered.entry(&line.sku).or_default() += u64::from(line.quantity);
    }
    let in_cart = state.lines.iter().map(|(sku, line)| (sku, u64::from(line.quantity)));
    if !ordered.into_iter().eq(in_cart) {
        return Err(CartRejection::Changed);
    }
    Ok(vec![CheckedOut { draft: draft.clone(), lines: state.cart_lines() }.into()])
}

fn give_back(state: &CartState, order: OrderId, lines: &[CartLine]) -> Vec<CartEvent> {
    if !state.orders_out.contains(&order) {
        return Vec::new();
    }
    let mut lines = capped(state, lines);
    for line in &mut lines {
        // A line that was added in the meantime has the newer price.
        line.unit_price = state.lines.get(&line.sku).map_or(line.unit_price, |present| present.unit_price);
    }
    vec![GivenBack { order, lines }.into()]
}
