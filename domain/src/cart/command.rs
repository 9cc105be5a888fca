//! What can be asked of a cart.

use crate::money::Money;
use crate::names::{CartId, CustomerId, OrderId, ProductId, Sku};
use crate::order::event::Draft;

use super::event::CartLine;

/// A command to one cart. Prices are what the buyer was shown.
#[derive(Clone, Debug, PartialEq)]
pub enum CartCommand {
    /// Puts units of a SKU in, besides those that are there.
    Add {
        /// The SKU.
        sku: Sku,
        /// Its product.
        product: ProductId,
        /// Units more.
        quantity: u32,
        /// The price as of now.
        unit_price: Money,
        /// The cart's customer, none for a guest.
        customer: Option<CustomerId>,
    },
    /// Sets a line's units.
    Change {
        /// The line.
        sku: Sku,
        /// Units; 0 removes the line.
        quantity: u32,
        /// The price as of now.
        unit_price: Money,
    },
    /// Takes a line out.
    Remove {
        /// The line.
        sku: Sku,
    },
    /// Takes all lines out.
    Clear,
    /// Takes in the lines that another cart gave away, but for the units that it took in before and that were still
    /// there. Never refused, since the lines would be lost.
    Merge {
        /// The other cart.
        from: CartId,
        /// Where the other cart stood.
        from_revision: u64,
        /// Its lines.
        lines: Vec<CartLine>,
        /// The revision at which the other cart gave units away before: those of merges up to then were no longer there.
        given_at: Option<u64>,
        /// The customer whose cart takes them in.
        customer: CustomerId,
    },
    /// Takes all lines out for another cart, which is then to take them in.
    GiveAway {
        /// The cart they go to.
        into: CartId,
        /// The revision of this cart: the sender insists on it, so that it names this act and no other.
        at_revision: u64,
    },
    /// Turns the lines into an order; empties the cart. Of an empty cart it may mean the order of a moment ago.
    CheckOut {
        /// The order to be, complete: after a crash it is made from this.
        draft: Box<Draft>,
        /// The order of a moment ago that the same request would have made, if there is one.
        recalls: Option<OrderId>,
    },
    /// Puts the lines of a failed order back, once.
    GiveBack {
        /// The order that failed.
        order: OrderId,
        /// The lines it had from this cart.
        lines: Vec<CartLine>,
    },
}
