//! What can be asked of an order.

use souk_eventsourcing::Person;

use crate::address::Address;
use crate::email::Email;
use crate::names::{CustomerId, Sku};

use super::event::{Draft, Reason};

/// A command to one order.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderCommand {
    /// Places it.
    Place(Box<Draft>),
    /// Every line is reserved; it waits for payment. Sent by the checkout.
    AwaitPayment,
    /// The buyer or the shop wants it no more. Before the order is settled this is a wish that the
    /// checkout carries out; after, it is done at once, until the goods are shipped.
    Cancel {
        /// `cancelled-by-customer` or `cancelled-by-shop`, and why.
        reason: Reason,
    },
    /// Somebody paid outside; an order that waits for payment goes on.
    MarkPaidOutside,
    /// Stock and payment are in order. Sent by the checkout, last.
    Confirm {
        /// Whether the money came outside, so that the payment has nothing to give back.
        paid_outside: bool,
    },
    /// It came to nothing, and what was done is undone. Sent by the checkout, last.
    Fail {
        /// Why. `payment-timed-out` ends it as timed out, everything else as cancelled.
        reason: Reason,
        /// SKUs that there was not enough of.
        failed_skus: Vec<Sku>,
    },
    /// The goods are on their way.
    Ship {
        /// Who carries them.
        carrier: String,
        /// By which number.
        tracking: String,
    },
    /// Corrects a mistyped shipment. What is left out stays as it is.
    CorrectShipment {
        /// The right carrier.
        carrier: Option<String>,
        /// The right tracking number.
        tracking: Option<String>,
    },
    /// The goods arrived.
    Deliver,
    /// Goods come back.
    Return {
        /// Units by SKU, each SKU once.
        lines: Vec<(Sku, u32)>,
    },
    /// The goods go elsewhere.
    ChangeAddress {
        /// Where to.
        address: Box<Address>,
    },
    /// The guest who placed it is this customer.
    Attach {
        /// Who.
        customer: CustomerId,
        /// The e-mail address that it was placed with.
        email: Option<Email>,
        /// Where the goods go.
        shipping_address: Option<Box<Address>>,
    },
    /// The key of somebody is destroyed: of interest if it tells about them.
    Erase {
        /// Who was erased.
        person: Person,
    },
}
