//! State of an order: the facts that later decisions need.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Person, Personal};

use crate::address::Address;
use crate::money::Money;
use crate::{CartId, CustomerId, OrderId, Sku};

use super::event::{Draft, OrderLine, Reason};

/// Status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// The order was placed; its lines are being reserved.
    Placed,
    /// All lines are reserved; the order waits for payment.
    PaymentPending,
    /// The order is paid, and its goods left the shelf.
    Confirmed,
    /// The goods were shipped.
    Shipped,
    /// The goods were delivered.
    Delivered,
    /// All goods were returned.
    Returned,
    /// The order was cancelled.
    Cancelled,
    /// The order ended because the payment did not arrive in time.
    TimedOut,
}

impl OrderStatus {
    /// Returns true once stock and payment are in the state that the status promises: in every status except
    /// the first two.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Placed | Self::PaymentPending)
    }

    /// Returns the status as the API shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "PLACED",
            Self::PaymentPending => "PAYMENT_PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Shipped => "SHIPPED",
            Self::Delivered => "DELIVERED",
            Self::Returned => "RETURNED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
        }
    }
}

/// State of an order; empty before the order is placed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderState {
    pub(super) placed: Option<PlacedOrder>,
}

/// State of an order that was placed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    pub(super) status: OrderStatus,
    pub(super) code: String,
    pub(super) customer: Option<CustomerId>,
    pub(super) id: OrderId,
    /// E-mail address of a guest, sealed.
    pub(super) email: Option<Personal<String>>,
    /// Person whose key seals the personal data of the order.
    pub(super) person: Person,
    /// True once the key of an earlier person was destroyed.
    pub(super) is_erased: bool,
    pub(super) destination: Destination,
    pub(super) cart: Option<CartId>,
    /// Lines of the order. They never change, so clones of the state share them.
    pub(super) lines: Arc<[Line]>,
    pub(super) total: Money,
    pub(super) cancellation: Option<Reason>,
    pub(super) paid_outside: bool,
    pub(super) shipment: Option<(String, String)>,
    /// Returned units by SKU.
    pub(super) returned: BTreeMap<Sku, u32>,
    /// Price of the returned goods, in minor units.
    pub(super) refunded: i64,
}

/// Knowledge about the shipping address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Destination {
    /// The order has no shipping address.
    #[serde(rename = "unknown")]
    Absent,
    /// The order has a shipping address.
    #[serde(rename = "known")]
    Present,
    /// The shipping address was erased with the key that sealed it.
    Erased,
}

impl Destination {
    pub(super) fn of(address: Option<&Personal<Address>>) -> Self {
        match address {
            None => Self::Absent,
            Some(address) if address.is_erased() => Self::Erased,
            Some(_) => Self::Present,
        }
    }
}

/// The part of an order line that later decisions need.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) sku: Sku,
    pub(super) quantity: u32,
    pub(super) unit_price: Money,
}

impl Line {
    fn of(line: &OrderLine) -> Self {
        Self { sku: line.sku.clone(), quantity: line.quantity, unit_price: line.unit_price }
    }
}

impl PlacedOrder {
    pub(super) fn new(draft: &Draft) -> Self {
        Self {
            status: OrderStatus::Placed,
            code: draft.code.clone(),
            customer: draft.customer.clone(),
            id: draft.order,
            email: draft.email.clone(),
            person: Draft::person_of(draft.order, draft.customer.as_ref()),
            is_erased: false,
            destination: Destination::of(draft.shipping_address.as_ref()),
            cart: draft.cart,
            lines: draft.lines.iter().map(Line::of).collect(),
            total: draft.total,
            cancellation: None,
            paid_outside: false,
            shipment: None,
            returned: BTreeMap::new(),
            refunded: 0,
        }
    }
}

impl OrderState {
    /// Returns the status; `None` if the order was never placed.
    pub fn status(&self) -> Option<OrderStatus> {
        self.placed.as_ref().map(|placed| placed.status)
    }

    /// Returns the customer who owns the order; `None` for a guest's order.
    pub fn customer(&self) -> Option<&CustomerId> {
        self.placed.as_ref()?.customer.as_ref()
    }

    /// Returns the person whose key seals the personal data of the order, now and in later events.
    pub fn person(&self) -> Option<&Person> {
        self.placed.as_ref().map(|placed| &placed.person)
    }

    /// Returns the person whose key seals the shipping address, if the order is confirmed but not shipped.
    pub fn address_person(&self) -> Option<&Person> {
        let order = self.placed.as_ref().filter(|order| order.destination == Destination::Present)?;
        (order.status == OrderStatus::Confirmed).then_some(&order.person)
    }

    /// Returns the e-mail address of a guest, as long as the order belongs to a guest.
    pub fn guest_email(&self) -> Option<&Personal<String>> {
        let order = self.placed.as_ref().filter(|order| order.customer.is_none() && !order.is_erased)?;
        order.email.as_ref()
    }

    /// Returns the cart that the order came from.
    pub fn cart(&self) -> Option<CartId> {
        self.placed.as_ref()?.cart
    }

    /// Returns the total of the order.
    pub fn total(&self) -> Option<Money> {
        self.placed.as_ref().map(|placed| placed.total)
    }

    /// Returns the order code for people.
    pub fn code(&self) -> Option<&str> {
        self.placed.as_ref().map(|placed| placed.code.as_str())
    }
}
