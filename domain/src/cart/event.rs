//! Events of a cart.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::money::Money;
use crate::order::event::Draft;
use crate::{CartId, CustomerId, OrderId, ProductId, Sku};

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLine {
    /// SKU of the line.
    pub sku: Sku,
    /// Product that the SKU belongs to.
    pub product: ProductId,
    /// Units of the line.
    pub quantity: u32,
    /// Price of one unit that the buyer was shown.
    pub unit_price: Money,
}

/// Units were added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemAdded {
    /// SKU, product, added units, and the new price of the whole line.
    pub line: CartLine,
    /// Customer who owns the cart; `None` for a guest's cart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
}

/// The units of a line were set, and its price was updated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemChanged {
    /// SKU of the line.
    pub sku: Sku,
    /// New units of the line, at least 1.
    pub quantity: u32,
    /// Price of one unit that the buyer was shown.
    pub unit_price: Money,
}

/// A line was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemRemoved {
    /// SKU of the line.
    pub sku: Sku,
}

/// All lines were removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleared {
    /// SKUs of the removed lines; empty if the lines were ordered a moment before.
    pub skus: Vec<Sku>,
}

/// The lines of another cart were taken in. Units of a SKU in both carts are added; the price is that of the
/// other cart, which is newer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Merged {
    /// Cart that gave the lines away.
    pub from: CartId,
    /// Revision of the other cart when it gave the lines away.
    pub from_revision: u64,
    /// Lines with the units that were added. They are fewer than in the other cart if a line would exceed the
    /// limit or if units were taken in before; 0 if the line was full.
    pub lines: Vec<CartLine>,
    /// The same lines before the limit was applied: the units that leave the other cart.
    pub fresh: Vec<CartLine>,
    /// Customer who owns this cart.
    pub customer: CustomerId,
}

/// Lines were given away to another cart, and left this cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedAway {
    /// Cart that receives the lines.
    pub into: CartId,
    /// Revision of this cart before the lines left it.
    pub at_revision: u64,
    /// Lines with the units that left.
    pub lines: Vec<CartLine>,
    /// True if the lines leave this cart before the other cart takes them in: they are owed to the other cart
    /// until then. In logs written before 2026-11-30 the other cart took them in first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_owed: bool,
}

/// The lines became an order, and the cart is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedOut {
    /// The order with all its data.
    pub draft: Draft,
    /// Lines as they were in the cart, to be put back if the order fails.
    pub lines: Vec<CartLine>,
}

/// The empty cart was checked out again, and the order placed a moment ago was returned. A repeat of the
/// request finds that order in this event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRecalled {
    /// The order placed a moment ago.
    pub order: OrderId,
}

/// The lines of a failed order were put back. Units of a SKU that is in the cart again are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenBack {
    /// Order that did not complete.
    pub order: OrderId,
    /// Lines with the units that were put back. They are fewer than in the order if a line would exceed the
    /// limit. A line that is in the cart again keeps its current price.
    pub lines: Vec<CartLine>,
}

event_enum! {
    /// Events of a cart.
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
