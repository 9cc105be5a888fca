//! What comes back, and what is paid back for it.
//!
//! Of equal SKUs the dearest line comes back first. Each unit is paid back at its line's price; the last
//! return takes whatever is left of the total, so that all returns together are exactly the total.

use std::collections::BTreeMap;

use crate::money::Money;
use crate::names::{ReversalId, Sku};

use super::event::{Returned, Reversal, ReversalLine};
use super::rejection::OrderRejection;
use super::state::Placed;

/// Everything of the order that has not come back.
pub(super) fn everything_left(order: &Placed, id: ReversalId) -> Reversal {
    let lines = sold(order).into_iter().map(|(sku, quantity)| {
        let back = order.returned.get(&sku).copied().unwrap_or(0);
        ReversalLine { sku, quantity: quantity - back }
    });
    let lines = lines.filter(|line| line.quantity > 0).collect();
    Reversal { id, lines, refund: refund(order, order.total.amount - order.refunded) }
}

/// Some units, whether now everything is back, and the price of what comes back.
pub(super) fn some(order: &Placed, lines: &[(Sku, u32)], id: ReversalId) -> Result<Returned, OrderRejection> {
    let sold = sold(order);
    let lines = summed(lines);
    let mut amount = 0;
    for (sku, asked) in &lines {
        let back = order.returned.get(sku).copied().unwrap_or(0);
        let left = sold.get(sku).copied().unwrap_or(0) - back;
        if *asked == 0 || *asked > left {
            return Err(OrderRejection::ReturnExceedsOrder { sku: sku.clone(), asked: *asked, left });
        }
        amount += price_of(order, sku, back, *asked);
    }
    let complete = units(order.returned.values()) + units(lines.values()) == units(sold.values());
    let left = order.total.amount - order.refunded;
    let amount = if complete { left } else { amount.min(left) };
    let lines = lines.into_iter().map(|(sku, quantity)| ReversalLine { sku, quantity });
    let reversal = Reversal { id, lines: lines.collect(), refund: refund(order, amount) };
    Ok(Returned { reversal, complete, value: Some(Money::new(amount, order.total.currency)) })
}

/// Each SKU once.
fn summed(lines: &[(Sku, u32)]) -> BTreeMap<Sku, u32> {
    let mut units: BTreeMap<Sku, u32> = BTreeMap::new();
    for (sku, asked) in lines {
        let sum = units.entry(sku.clone()).or_default();
        *sum = sum.saturating_add(*asked);
    }
    units
}

fn units<'a>(of: impl Iterator<Item = &'a u32>) -> u64 {
    of.map(|units| u64::from(*units)).sum()
}

fn sold(order: &Placed) -> BTreeMap<Sku, u32> {
    let mut units = BTreeMap::new();
    for line in &*order.lines {
        *units.entry(line.sku.clone()).or_insert(0) += line.quantity;
    }
    units
}

/// The price of `asked` units of a SKU of which `back` came back before.
fn price_of(order: &Placed, sku: &Sku, back: u32, asked: u32) -> i64 {
    let mut lines: Vec<_> = order.lines.iter().filter(|line| line.sku == *sku).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.unit_price.amount));
    let (mut skip, mut take, mut amount) = (back, asked, 0);
    for line in lines {
        let skipped = skip.min(line.quantity);
        skip -= skipped;
        let taken = take.min(line.quantity - skipped);
        take -= taken;
        amount += line.unit_price.amount * i64::from(taken);
    }
    amount
}

/// None for an order that was paid outside: what was taken there is given back there.
fn refund(order: &Placed, amount: i64) -> Option<Money> {
    (!order.paid_outside && amount > 0).then(|| Money::new(amount, order.total.currency))
}
