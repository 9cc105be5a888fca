//! Computes which units a cancellation or return takes back, and how much is refunded for them.
//!
//! If lines of the same SKU have different prices, the units of the most expensive line are returned first.
//! Each unit is refunded at the price of its line. The last return refunds the rest of the total, so that all
//! returns together refund exactly the total.

use std::collections::BTreeMap;

use crate::money::Money;
use crate::{ReversalId, Sku};

use super::event::{Returned, Reversal, ReversalLine};
use super::rejection::OrderRejection;
use super::state::PlacedOrder;

/// Returns the reversal of everything in the order that was not returned yet.
pub(super) fn everything_not_returned(order: &PlacedOrder, id: ReversalId) -> Reversal {
    let lines = sold(order).into_iter().map(|(sku, quantity)| {
        let returned = order.returned.get(&sku).copied().unwrap_or(0);
        ReversalLine { sku, quantity: quantity - returned }
    });
    let lines = lines.filter(|line| line.quantity > 0).collect();
    Reversal { id, lines, refund: refund(order, order.total.amount - order.refunded) }
}

/// Returns the event for a return of some units.
pub(super) fn some_units(
    order: &PlacedOrder,
    lines: &[(Sku, u32)],
    id: ReversalId,
) -> Result<Returned, OrderRejection> {
    let sold = sold(order);
    let lines = summed(lines);
    let mut amount = 0;
    for (sku, &requested) in &lines {
        let returned = order.returned.get(sku).copied().unwrap_or(0);
        let left = sold.get(sku).copied().unwrap_or(0) - returned;
        if requested == 0 || requested > left {
            return Err(OrderRejection::ReturnExceedsOrder { sku: sku.clone(), requested, left });
        }
        amount += price_of(order, sku, returned, requested);
    }
    let complete = sum_of(order.returned.values()) + sum_of(lines.values()) == sum_of(sold.values());
    let left = order.total.amount - order.refunded;
    let amount = if complete { left } else { amount.min(left) };
    let lines = lines.into_iter().map(|(sku, quantity)| ReversalLine { sku, quantity });
    let reversal = Reversal { id, lines: lines.collect(), refund: refund(order, amount) };
    Ok(Returned { reversal, complete, value: Some(Money::new(amount, order.total.currency)) })
}

/// Adds up the units of each SKU.
fn summed(lines: &[(Sku, u32)]) -> BTreeMap<Sku, u32> {
    let mut units: BTreeMap<Sku, u32> = BTreeMap::new();
    for (sku, quantity) in lines {
        let sum = units.entry(sku.clone()).or_default();
        *sum = sum.saturating_add(*quantity);
    }
    units
}

fn sum_of<'a>(units: impl Iterator<Item = &'a u32>) -> u64 {
    units.map(|units| u64::from(*units)).sum()
}

fn sold(order: &PlacedOrder) -> BTreeMap<Sku, u32> {
    let mut units = BTreeMap::new();
    for line in &*order.lines {
        *units.entry(line.sku.clone()).or_insert(0) += line.quantity;
    }
    units
}

/// Returns the price of `quantity` units of a SKU, of which `returned` units were returned before.
fn price_of(order: &PlacedOrder, sku: &Sku, returned: u32, quantity: u32) -> i64 {
    let mut lines: Vec<_> = order.lines.iter().filter(|line| line.sku == *sku).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.unit_price.amount));
    let mut skip = returned;
    let mut take = quantity;
    let mut amount = 0;
    for line in lines {
        let skipped = skip.min(line.quantity);
        skip -= skipped;
        let taken = take.min(line.quantity - skipped);
        take -= taken;
        amount += line.unit_price.amount * i64::from(taken);
    }
    amount
}

/// Returns the refund; `None` for an order that was paid outside the shop, because it is refunded there too.
fn refund(order: &PlacedOrder, amount: i64) -> Option<Money> {
    (!order.paid_outside && amount > 0).then(|| Money::new(amount, order.total.currency))
}
