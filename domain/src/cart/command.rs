//! Commands to a cart.

use crate::money::Money;
use crate::order::event::Draft;
use crate::{CartId, CustomerId, OrderId, ProductId, Sku};

use super::event::CartLine;

/// A command to one cart.
#[derive(Clone, Debug, PartialEq)]
pub enum CartCommand {
    /// Adds units of a SKU to those that are in the cart.
    Add {
        /// SKU to add.
        sku: Sku,
        /// Product that the SKU belongs to.
        product: ProductId,
        /// Units to add.
        quantity: u32,
        /// Current price of one unit.
        unit_price: Money,
        /// Customer who owns the cart; `None` for a guest's cart.
        customer: Option<CustomerId>,
    },
    /// Adds a SKU that is not for sale. The cart always refuses it; the command exists so that a repeated request
    /// still finds the result of the first one.
    AddNotForSale {
        /// SKU to add.
        sku: Sku,
    },
    /// Sets the units of a line.
    Change {
        /// SKU of the line.
        sku: Sku,
        /// New units; 0 removes the line.
        quantity: u32,
        /// Current price of one unit.
        unit_price: Money,
    },
    /// Removes a line.
    Remove {
        /// SKU of the line.
        sku: Sku,
    },
    /// Removes all lines.
    Clear,
    /// Takes in the lines that another cart gave away. In logs written before 2026-11-30, an interrupted
    /// merge left its units in both carts; these units are not taken in a second time. The command is never
    /// refused, because the other cart no longer has the lines, and they would be lost.
    Merge {
        /// Cart that gave the lines away.
        from: CartId,
        /// Revision of the other cart when it gave the lines away.
        from_revision: u64,
        /// Lines that the other cart gave away.
        lines: Vec<CartLine>,
        /// Revision of the other cart when it gave lines away the previous time; `None` if it never did. The
        /// units of merges up to this revision are no longer in the other cart.
        previous_transfer: Option<u64>,
        /// Customer whose cart takes the lines in.
        customer: CustomerId,
    },
    /// Gives all lines away to another cart, which must take them in afterwards.
    GiveAway {
        /// Cart that receives the lines.
        into: CartId,
        /// Current revision of this cart. The event is appended only at this revision, so the revision
        /// identifies this transfer.
        at_revision: u64,
    },
    /// Turns the lines into an order, and empties the cart.
    CheckOut {
        /// The complete order. After a crash the order is placed from this data.
        draft: Box<Draft>,
    },
    /// Returns the order that an equal request placed from this cart a moment ago. Refused if the cart has lines
    /// again.
    RecallOrder {
        /// The order of the equal request; `None` if there is no such order, which is refused.
        order: Option<OrderId>,
    },
    /// Puts the lines of a failed order back into the cart, once.
    GiveBack {
        /// Order that did not complete.
        order: OrderId,
        /// Lines of the order that came from this cart.
        lines: Vec<CartLine>,
    },
}
