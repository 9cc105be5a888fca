//! The lines of a cart, and what was lately done with them.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::limits::SECOND_CLICK_S;
use crate::money::{Currency, Money};
use crate::names::{CartId, OrderId, ProductId, Sku};

use super::event::CartLine;

/// Merges and returned orders that are remembered; older ones are recognised by their command ids.
pub const REMEMBERED_MAX: usize = 64;

/// The state of a cart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CartState {
    pub(super) lines: BTreeMap<Sku, LineState>,
    pub(super) merged: VecDeque<(CartId, u64)>,
    pub(super) given_back: VecDeque<OrderId>,
    /// The last order made from it, unless something was put in since.
    pub(super) last_order: Option<(OrderId, Timestamp)>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineState {
    /// Its product.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// What the buyer was shown.
    pub unit_price: Money,
}

impl CartState {
    /// The lines, by SKU.
    pub fn lines(&self) -> impl Iterator<Item = (&Sku, &LineState)> {
        self.lines.iter()
    }

    /// The lines as events hold them.
    pub fn cart_lines(&self) -> Vec<CartLine> {
        let line = |(sku, line): (&Sku, &LineState)| CartLine {
            sku: sku.clone(),
            product: line.product,
            quantity: line.quantity,
            unit_price: line.unit_price,
        };
        self.lines.iter().map(line).collect()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line of a SKU.
    pub fn line(&self, sku: &Sku) -> Option<&LineState> {
        self.lines.get(sku)
    }

    /// The SKU of a product's line, when it has just one here.
    pub fn line_of_product(&self, product: ProductId) -> Option<&Sku> {
        let mut skus = self.lines.iter().filter(|(_, line)| line.product == product).map(|(sku, _)| sku);
        let first = skus.next();
        if skus.next().is_none() { first } else { None }
    }

    /// The order that a second click within a minute means, when the cart is empty since.
    pub fn recent_order(&self, now: Timestamp) -> Option<OrderId> {
        let (order, at) = self.last_order?;
        let is_recent = now.duration_since(at) <= SignedDuration::from_secs(SECOND_CLICK_S);
        (self.lines.is_empty() && is_recent).then_some(order)
    }

    /// The currency of its prices.
    pub(super) fn currency(&self) -> Option<Currency> {
        self.lines.values().next().map(|line| line.unit_price.currency)
    }
}
