//! Commands to an order.

use souk_eventsourcing::Person;

use crate::address::Address;
use crate::email::Email;
use crate::{CustomerId, Sku};

use super::event::{Draft, Reason};

/// A command to one order.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderCommand {
    /// Places the order.
    Place(Box<Draft>),
    /// Marks the order as waiting for payment, after every line is reserved. Sent by the checkout.
    AwaitPayment,
    /// Cancels the order, as the buyer or the shop requested. Before the order is confirmed, the checkout
    /// carries the request out; afterwards the order is cancelled at once, until the goods are shipped.
    Cancel {
        /// Code (`cancelled-by-customer` or `cancelled-by-shop`) and text of the reason.
        reason: Reason,
    },
    /// Marks the order as paid outside the shop. An order that waits for payment is then confirmed.
    MarkPaidOutside,
    /// Confirms the order, after stock and payment are done. Sent by the checkout, last.
    Confirm {
        /// True if the buyer paid outside the shop, so that the payment has nothing to refund later.
        paid_outside: bool,
    },
    /// Ends the order as cancelled or timed out, after everything was undone. Sent by the checkout, last.
    Fail {
        /// Reason. With `payment-timed-out` the order ends as timed out, otherwise as cancelled.
        reason: Reason,
        /// SKUs that were short in stock.
        failed_skus: Vec<Sku>,
    },
    /// Marks the goods as shipped.
    Ship {
        /// Carrier of the goods.
        carrier: String,
        /// Tracking number of the shipment.
        tracking: String,
    },
    /// Corrects a mistyped shipment. Absent fields stay as they are.
    CorrectShipment {
        /// The correct carrier.
        carrier: Option<String>,
        /// The correct tracking number.
        tracking: Option<String>,
    },
    /// Marks the goods as delivered.
    Deliver,
    /// Takes goods back.
    Return {
        /// Returned units by SKU, each SKU once.
        lines: Vec<(Sku, u32)>,
    },
    /// Changes the shipping address.
    ChangeAddress {
        /// The new shipping address.
        address: Box<Address>,
    },
    /// Assigns a guest's order to the customer who placed it.
    Attach {
        /// Customer who owns the order from now on.
        customer: CustomerId,
        /// E-mail address that the order was placed with.
        email: Option<Email>,
        /// Shipping address of the order.
        shipping_address: Option<Box<Address>>,
    },
    /// Notes that the key of a person was destroyed, if the order contains personal data of this person.
    Erase {
        /// Person who was erased.
        person: Person,
    },
}
