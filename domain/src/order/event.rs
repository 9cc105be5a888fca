//! Events of an order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Person, Personal, event_enum};

use crate::address::Address;
use crate::money::Money;
use crate::personal_text::PersonalText;
use crate::{CartId, CustomerId, EmailHash, OrderId, ProductId, ReversalId, Sku};

/// A complete order, before it is placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// Id of the order, derived from the command that creates it.
    pub order: OrderId,
    /// Order code for people, such as `SK-7F3K-9QXM`.
    pub code: String,
    /// Customer who buys; `None` for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Cart that the order comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<CartId>,
    /// E-mail address of a guest, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// Keyed hash of that address, in orders placed before 2026-11-30. Since then the index of the person
    /// keys holds the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<EmailHash>,
    /// Shipping address, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Personal<Address>>,
    /// Lines of the order, at least one. Several lines of one SKU have different prices.
    pub lines: Vec<OrderLine>,
    /// Charges besides goods: shipping, tax, discounts.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Sum of the lines and charges.
    pub total: Money,
    /// The payment provider's token, if the buyer sent one with the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_token: Option<PersonalText>,
    /// Time of the buyer's request.
    pub placed_at: Timestamp,
    /// Time at which the wait for payment ends.
    pub pay_by: Timestamp,
}

impl Draft {
    /// Returns the person whose key seals the personal data of an order: its customer, or a person of its own
    /// for a guest's order.
    pub fn person_of(order: OrderId, customer: Option<&CustomerId>) -> Person {
        customer.map_or_else(|| order.guest(), CustomerId::person)
    }
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// SKU of the ordered variant.
    pub sku: Sku,
    /// Product that the variant belongs to.
    pub product: ProductId,
    /// Name of the product when it was ordered.
    pub name: String,
    /// Number of ordered units.
    pub quantity: u32,
    /// Price of one unit.
    pub unit_price: Money,
    /// Price that the buyer was shown, if it changed before the order was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_price: Option<Money>,
}

/// A charge or a discount in addition to the goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// Kind of the charge, such as `shipping`.
    pub kind: String,
    /// Label that people see.
    pub label: String,
    /// Amount of the charge; negative for a discount.
    pub amount: Money,
}

/// Reason why an order was cancelled or timed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Stable code of the reason.
    pub code: ReasonCode,
    /// Reason as text. A text of the shop is plain; the text of a person who cancelled is personal.
    pub detail: PersonalText,
}

/// Stable codes of the reasons why an order was cancelled or timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// A SKU was short in stock.
    InsufficientStock,
    /// The provider declined the payment, or could not be reached for too long.
    PaymentDeclined,
    /// The payment did not arrive in time.
    PaymentTimedOut,
    /// The buyer cancelled.
    CancelledByCustomer,
    /// The shop cancelled.
    CancelledByShop,
}

/// The order was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// The order with all its data.
    pub draft: Draft,
}

/// Every line is reserved, and the order waits for payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentAwaited {}

/// The buyer or the shop requested a cancellation; the checkout undoes what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancellationRequested {
    /// Code and text of the reason.
    pub reason: Reason,
}

/// The order was marked as paid outside the shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaidOutside {}

/// The order is paid, and its goods left the shelf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// True if the buyer paid outside the shop.
    #[serde(default)]
    pub paid_outside: bool,
}

/// The order was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// Code and text of the reason.
    pub reason: Reason,
    /// SKUs that were short in stock.
    #[serde(default)]
    pub failed_skus: Vec<Sku>,
    /// Goods and money to return, if the order was confirmed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Reversal>,
}

/// The payment did not arrive in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimedOut {
    /// Code and text of the reason.
    pub reason: Reason,
}

/// The goods were shipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipped {
    /// Carrier of the goods.
    pub carrier: String,
    /// Tracking number of the shipment.
    pub tracking: String,
}

/// The carrier or the tracking number was corrected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentCorrected {
    /// The correct carrier.
    pub carrier: String,
    /// The correct tracking number.
    pub tracking: String,
}

/// The goods were delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivered {}

/// Goods were returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Returned {
    /// Goods and money to return.
    pub reversal: Reversal,
    /// True if now all goods of the order are returned.
    pub complete: bool,
    /// Price of the returned goods. Also present if the order was paid outside the shop and is refunded
    /// there. Absent in older logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
}

/// The shipping address changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressChanged {
    /// The new shipping address, sealed.
    pub address: Personal<Address>,
}

/// A guest's order was assigned to the customer with its e-mail address. The personal data that was sealed
/// with the order's own key is sealed with the customer's key from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// Customer who owns the order from now on.
    pub customer: CustomerId,
    /// E-mail address of the order, sealed with the customer's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// Shipping address, sealed with the customer's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Personal<Address>>,
}

/// The key that seals the personal data of the order was destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Person who was erased.
    pub person: Person,
}

/// Goods to restock and money to refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reversal {
    /// Id of the reversal, derived from the command.
    pub id: ReversalId,
    /// Units to restock by SKU, each SKU once.
    pub lines: Vec<ReversalLine>,
    /// Amount to refund; `None` if the order was paid outside the shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Money>,
}

/// Units of one SKU to restock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReversalLine {
    /// SKU of the units.
    pub sku: Sku,
    /// Units to restock.
    pub quantity: u32,
}

event_enum! {
    /// Events of an order.
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
