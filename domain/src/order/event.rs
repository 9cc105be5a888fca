//! What can happen to an order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Person, Personal, event_enum};

use crate::address::Address;
use crate::money::Money;
use crate::names::{CartId, CustomerId, EmailHash, OrderId, ProductId, ReversalId, Sku};
use crate::personal_text::PersonalText;

/// An order, complete, before it is placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// Its id, derived from the command that asks for it.
    pub order: OrderId,
    /// For people, as in `SK-7F3K-9QXM`.
    pub code: String,
    /// Who buys; none for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The cart it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<CartId>,
    /// A guest's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// The keyed hash of that address, in orders of before 2026-11-30. The index beside the keys of people holds it
    /// since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<EmailHash>,
    /// Where the goods go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Personal<Address>>,
    /// At least one; lines of one SKU have different prices.
    pub lines: Vec<OrderLine>,
    /// Shipping, tax, discounts.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Lines and charges.
    pub total: Money,
    /// The payment provider's token, when the buyer gave one with the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_token: Option<PersonalText>,
    /// When the buyer asked for it.
    pub placed_at: Timestamp,
    /// When waiting for payment ends.
    pub pay_by: Timestamp,
}

impl Draft {
    /// Whom an order tells about: its customer, or a guest known by the order alone.
    pub fn person_of(order: OrderId, customer: Option<&CustomerId>) -> Person {
        customer.map_or_else(|| order.guest(), CustomerId::person)
    }
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The SKU.
    pub sku: Sku,
    /// Its product.
    pub product: ProductId,
    /// The product's name when it was ordered.
    pub name: String,
    /// Units.
    pub quantity: u32,
    /// What one costs.
    pub unit_price: Money,
    /// The price that the buyer was shown, if it changed before the order was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_price: Option<Money>,
}

/// Something besides goods that an order costs, or less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// As in `shipping`.
    pub kind: String,
    /// In words.
    pub label: String,
    /// How much; negative takes off.
    pub amount: Money,
}

/// Why an order ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// In words: the shop's own, or those of whoever cancelled it, which are personal.
    pub detail: PersonalText,
}

/// The stable codes of why an order ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// Not enough of a SKU.
    InsufficientStock,
    /// The provider declined, or could not be reached for too long.
    PaymentDeclined,
    /// Nobody paid in time.
    PaymentTimedOut,
    /// The buyer wanted it no more.
    CancelledByCustomer,
    /// The shop wanted it no more.
    CancelledByShop,
}

/// It was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// The whole of it.
    pub draft: Draft,
}

/// Every line is reserved; it waits for payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentAwaited {}

/// Somebody wants it no more; the checkout undoes what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancellationRequested {
    /// Who and why.
    pub reason: Reason,
}

/// It was paid outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaidOutside {}

/// It is paid, and its goods are the buyer's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// Whether the money came outside.
    #[serde(default)]
    pub paid_outside: bool,
}

/// It ended early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// Why.
    pub reason: Reason,
    /// SKUs that there was not enough of.
    #[serde(default)]
    pub failed_skus: Vec<Sku>,
    /// What has to be taken back, when it was confirmed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Reversal>,
}

/// Nobody paid in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimedOut {
    /// Why, in the shape all early ends have.
    pub reason: Reason,
}

/// The goods are on their way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipped {
    /// Who carries them.
    pub carrier: String,
    /// By which number.
    pub tracking: String,
}

/// The carrier or the tracking number was mistyped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentCorrected {
    /// The right carrier.
    pub carrier: String,
    /// The right tracking number.
    pub tracking: String,
}

/// The goods arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivered {}

/// Goods come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Returned {
    /// What comes back.
    pub reversal: Reversal,
    /// Whether now everything is back.
    pub complete: bool,
    /// The price of what comes back, also when it was paid outside and is given back there; none in older logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
}

/// The goods go elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressChanged {
    /// Where to.
    pub address: Personal<Address>,
}

/// A guest's order is a customer's, whose e-mail address it was placed with. What was under the order's own
/// key is under the customer's from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// Who bought it.
    pub customer: CustomerId,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// Where the goods go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Personal<Address>>,
}

/// The key of whom it tells about is destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Who was erased.
    pub person: Person,
}

/// Goods to put back on hand, and money to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reversal {
    /// Its id, derived from the command that asked.
    pub id: ReversalId,
    /// Units by SKU, each SKU once.
    pub lines: Vec<ReversalLine>,
    /// What the payment gives back; none when the order was paid outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Money>,
}

/// Units that go back on hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReversalLine {
    /// The SKU.
    pub sku: Sku,
    /// Units.
    pub quantity: u32,
}

event_enum! {
    /// What happens to an order.
    pub enum OrderEvent {
        Placed = "order.placed" v 1,
        PaymentAwaited = "order.payment-awaited" v 1,
        CancellationRequested = "order.cancellation-requested" v 1,
        PaidOutside = "order.paid-outside" v 1,
        Confirmed = "order.confirmed" v 1,
        Cancelled = "order.cancelled" v 1,
        TimedOut = "order.timed-out" v 1,
        Shipped = "order.shipped" v 1,
        ShipmentCorrected = "order.shipment-corrected" v 1,
        Delivered = "order.delivered" v 1,
        Returned = "order.returned" v 1,
        AddressChanged = "order.address-changed" v 1,
        Attached = "order.attached" v 1,
        Erased = "order.erased" v 1,
    }
}
