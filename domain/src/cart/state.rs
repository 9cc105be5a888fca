//! The lines of a cart, and what was lately done with them.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

use imbl::OrdMap;
use jiff::{SignedDuration, Timestamp};

use crate::limits::SECOND_CLICK_S;
use crate::money::Money;
use crate::names::{CartId, CustomerId, OrderId, ProductId, Sku};

use super::event::CartLine;

/// Merges of other carts that are remembered.
pub const MERGES_MAX: usize = 16;

/// Times that a cart gave its lines to another one that are remembered.
pub const GIVEN_MAX: usize = 16;

/// Orders whose lines can still be given back.
pub const ORDERS_OUT_MAX: usize = 64;

/// The state of a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CartState {
    /// Shared by copies of the state, as far as they agree.
    pub(super) lines: OrdMap<Sku, CartLineState>,
    pub(super) customer: Option<CustomerId>,
    /// Merges of other carts into this one, oldest first.
    pub(super) merged: VecDeque<Merge>,
    /// Where this cart stood when it last gave units to another.
    pub(super) given_at: Option<u64>,
    /// Lines that went to other carts, oldest first.
    pub(super) given: VecDeque<Given>,
    /// Orders made from it that gave nothing back.
    pub(super) orders_out: VecDeque<OrderId>,
    /// The last order made from it, unless something was put in since, or the cart was cleared.
    pub(super) last_order: Option<(OrderId, Timestamp)>,
}

/// What was taken in from another cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Merge {
    pub(super) from: CartId,
    /// Where it stood.
    pub(super) revision: u64,
    /// The units that were taken in. In logs of before 2026-11-30 they are in both carts until it gives them away.
    pub(super) units: BTreeMap<Sku, u32>,
}

/// Lines that left this cart for another one, which takes them in once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// The cart they are owed to.
    pub into: CartId,
    /// The revision of this cart before they left.
    pub at_revision: u64,
    /// The lines.
    pub lines: Vec<CartLine>,
    /// The revision before which it gave units away the time before.
    pub given_before: Option<u64>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLineState {
    /// Its product.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// What the buyer was shown.
    pub unit_price: Money,
}

impl CartState {
    /// The lines, by SKU.
    pub fn lines(&self) -> impl Iterator<Item = (&Sku, &CartLineState)> {
        self.lines.iter()
    }

    /// The lines as events hold them.
    pub fn cart_lines(&self) -> Vec<CartLine> {
        let line = |(sku, line): (&Sku, &CartLineState)| CartLine {
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
    pub fn line(&self, sku: &Sku) -> Option<&CartLineState> {
        self.lines.get(sku)
    }

    /// Whose cart it is; none for a guest's.
    pub fn customer(&self) -> Option<&CustomerId> {
        self.customer.as_ref()
    }

    /// The merges of another cart into this one, oldest first: where it stood, and its units.
    pub fn merges_of(&self, cart: CartId) -> impl Iterator<Item = (u64, &BTreeMap<Sku, u32>)> {
        self.merged.iter().filter(move |merge| merge.from == cart).map(|merge| (merge.revision, &merge.units))
    }

    /// The lines that went to another cart, oldest first. It may have taken them in already.
    pub fn given_to(&self, cart: CartId) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| given.into == cart)
    }

    /// The SKU of a product's line, when it has just one here.
    pub fn line_of_product(&self, product: ProductId) -> Option<&Sku> {
        let mut skus = self.lines.iter().filter(|(_, line)| line.product == product).map(|(sku, _)| sku);
        let first = skus.next();
        if skus.next().is_none() { first } else { None }
    }

    /// The order that a second click within [`SECOND_CLICK_S`] means, when nothing was put in since and the cart was not
    /// cleared.
    pub fn recent_order(&self, now: Timestamp) -> Option<OrderId> {
        let (order, at) = self.last_order?;
        (now.duration_since(at) <= SignedDuration::from_secs(SECOND_CLICK_S)).then_some(order)
    }

    /// Units of a SKU's line, 0 when there is none.
    pub(super) fn quantity(&self, sku: &Sku) -> u32 {
        self.lines.get(sku).map_or(0, |line| line.quantity)
    }
}
