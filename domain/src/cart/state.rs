//! State of a cart: its lines, and the recent merges, transfers and orders.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

use imbl::OrdMap;
use jiff::{SignedDuration, Timestamp};

use crate::limits::SECOND_CLICK_S;
use crate::money::Money;
use crate::{CartId, CustomerId, OrderId, ProductId, Sku};

use super::event::CartLine;

/// Maximum number of merges into this cart that are remembered.
pub const MERGES_MAX: usize = 16;

/// Maximum number of transfers to other carts that are remembered.
pub const TRANSFERS_MAX: usize = 16;

/// Maximum number of orders whose lines can still be put back.
pub const ORDERS_OUT_MAX: usize = 64;

/// State of a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CartState {
    /// Returns the lines by SKU.
    pub(super) lines: OrdMap<Sku, CartLineState>,
    pub(super) customer: Option<CustomerId>,
    /// Merges of other carts into this one, oldest first.
    pub(super) merged: VecDeque<Merge>,
    /// Revision of this cart before its last transfer to another cart.
    #[serde(rename = "givenAt")]
    pub(super) last_transfer: Option<u64>,
    /// Transfers of lines to other carts, oldest first.
    #[serde(rename = "given")]
    pub(super) transfers: VecDeque<Transfer>,
    /// Orders from this cart whose lines were not put back.
    pub(super) orders_out: VecDeque<OrderId>,
    /// The last order from this cart, until a line is added or the cart is cleared.
    pub(super) last_order: Option<(OrderId, Timestamp)>,
}

/// A merge of another cart's lines into this cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Merge {
    pub(super) from: CartId,
    /// Revision of the other cart when it gave the lines away.
    pub(super) revision: u64,
    /// Units that were taken in. In logs written before 2026-11-30 they are in both carts until the other
    /// cart gives them away.
    pub(super) units: BTreeMap<Sku, u32>,
}

/// Lines that left this cart for another cart, which takes them in once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Cart that the lines are owed to.
    pub into: CartId,
    /// Revision of this cart before the lines left it.
    pub at_revision: u64,
    /// Lines that left this cart.
    pub lines: Vec<CartLine>,
    /// Revision of this cart before its previous transfer.
    #[serde(rename = "givenBefore")]
    pub previous: Option<u64>,
}

/// State of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLineState {
    /// Product that the SKU belongs to.
    pub product: ProductId,
    /// Units of the line.
    pub quantity: u32,
    /// Price of one unit that the buyer was shown.
    pub unit_price: Money,
}

impl CartState {
    /// Returns the lines by SKU.
    pub fn lines(&self) -> impl Iterator<Item = (&Sku, &CartLineState)> {
        self.lines.iter()
    }

    /// Returns the lines in the form that events store.
    pub fn cart_lines(&self) -> Vec<CartLine> {
        let line = |(sku, line): (&Sku, &CartLineState)| CartLine {
            sku: sku.clone(),
            product: line.product,
            quantity: line.quantity,
            unit_price: line.unit_price,
        };
        self.lines.iter().map(line).collect()
    }

    /// Returns true if the cart has no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns the line of a SKU.
    pub fn line(&self, sku: &Sku) -> Option<&CartLineState> {
        self.lines.get(sku)
    }

    /// Returns the customer who owns the cart; `None` for a guest's cart.
    pub fn customer(&self) -> Option<&CustomerId> {
        self.customer.as_ref()
    }

    /// Returns the merges of another cart into this one, oldest first: the revision of the other cart, and
    /// the units.
    pub fn merges_of(&self, cart: CartId) -> impl Iterator<Item = (u64, &BTreeMap<Sku, u32>)> {
        self.merged.iter().filter(move |merge| merge.from == cart).map(|merge| (merge.revision, &merge.units))
    }

    /// Returns the transfers of lines to another cart, oldest first. The other cart may have taken them in
    /// already.
    pub fn transfers_to(&self, cart: CartId) -> impl Iterator<Item = &Transfer> {
        self.transfers.iter().filter(move |transfer| transfer.into == cart)
    }

    /// Returns the SKU of a product's line, if exactly one line belongs to the product.
    pub fn line_of_product(&self, product: ProductId) -> Option<&Sku> {
        let mut skus = self.lines.iter().filter(|(_, line)| line.product == product).map(|(sku, _)| sku);
        let first = skus.next();
        if skus.next().is_none() { first } else { None }
    }

    /// Returns the order that was placed at most [`SECOND_CLICK_S`] seconds ago, unless a line was added or
    /// the cart was cleared since.
    pub fn recent_order(&self, now: Timestamp) -> Option<OrderId> {
        let (order, at) = self.last_order?;
        (now.duration_since(at) <= SignedDuration::from_secs(SECOND_CLICK_S)).then_some(order)
    }

    /// Returns the units of a SKU's line; 0 if there is no line.
    pub(super) fn quantity(&self, sku: &Sku) -> u32 {
        self.lines.get(sku).map_or(0, |line| line.quantity)
    }
}
