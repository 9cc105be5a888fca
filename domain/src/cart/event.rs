//! What can happen to a cart.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::money::Money;
use crate::names::{CartId, CustomerId, OrderId, ProductId, Sku};
use crate::order::event::Draft;

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLine {
    /// The SKU.
    pub sku: Sku,
    /// Its product.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// What the buyer was shown.
    pub unit_price: Money,
}

/// Units were put in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemAdded {
    /// The SKU, its product, the units that were added, and the price the whole line has from now on.
    pub line: CartLine,
    /// The cart's customer, none for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
}

/// A line has other units, and the price as of then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemChanged {
    /// The line.
    pub sku: Sku,
    /// Its units now, at least 1.
    pub quantity: u32,
    /// What the buyer was shown.
    pub unit_price: Money,
}

/// A line was taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemRemoved {
    /// The line.
    pub sku: Sku,
}

/// All lines were taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleared {
    /// The lines that were there; none if they were ordered a moment before.
    pub skus: Vec<Sku>,
}

/// Another cart's lines were taken in. Units of a SKU in both are added; the price is the other cart's,
/// which is the newer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Merged {
    /// The other cart.
    pub from: CartId,
    /// Where it stood.
    pub from_revision: u64,
    /// Its lines, with the units that were added: fewer than it had where a line would have grown beyond
    /// the limit or was taken in before, and 0 where the line here was full before.
    pub lines: Vec<CartLine>,
    /// The same before that limit: what the other cart is to give away.
    pub fresh: Vec<CartLine>,
    /// The customer whose cart this is.
    pub customer: CustomerId,
}

/// Lines go to another cart; here they are gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedAway {
    /// The cart that has them now.
    pub into: CartId,
    /// Where this cart stood when its lines were looked at.
    pub at_revision: u64,
    /// The lines, with the units that are taken out.
    pub lines: Vec<CartLine>,
    /// True if the lines leave this cart before the other one takes them in: until it has, they are owed to it. In
    /// logs of before 2026-11-30 the other one has them already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_owed: bool,
}

/// The lines became an order; the cart is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedOut {
    /// The order to be, complete.
    pub draft: Draft,
    /// The lines as they stood in the cart, to be given back when the order fails.
    pub lines: Vec<CartLine>,
}

/// An order was asked for again when the cart was empty: the one of a moment ago was meant. A repeat of
/// the request finds it here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRecalled {
    /// The order of a moment ago.
    pub order: OrderId,
}

/// The lines of a failed order are back. Units of a SKU that is in the cart again are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenBack {
    /// The order that failed.
    pub order: OrderId,
    /// Its lines, with the units that were added: fewer than it had where a line would have grown beyond
    /// the limit. A line that is in the cart again has its price of now.
    pub lines: Vec<CartLine>,
}

event_enum! {
    /// What happens to a cart.
    pub enum CartEvent {
        ItemAdded = "cart.item-added" v 1,
        ItemChanged = "cart.item-changed" v 1,
        ItemRemoved = "cart.item-removed" v 1,
        Cleared = "cart.cleared" v 1,
        Merged = "cart.merged" v 1,
        MergedAway = "cart.merged-away" v 1,
        CheckedOut = "cart.checked-out" v 1,
        OrderRecalled = "cart.order-recalled" v 1,
        GivenBack = "cart.given-back" v 1,
    }
}
