//! What decisions need of an order.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Person, Personal};

use crate::address::Address;
use crate::money::Money;
use crate::names::{CartId, CustomerId, OrderId, Sku};

use super::event::{Draft, OrderLine, Reason};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Placed; its lines are being reserved.
    Placed,
    /// All is reserved; it waits for payment.
    PaymentPending,
    /// Paid, and its goods are the buyer's.
    Confirmed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// All came back.
    Returned,
    /// Ended early.
    Cancelled,
    /// Ended early, for nobody paid in time.
    TimedOut,
}

impl OrderStatus {
    /// Whether stock and payment are as the status says: everything but the first two.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Placed | Self::PaymentPending)
    }

    /// As in the API.
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

/// The state of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderState {
    pub(super) placed: Option<Placed>,
}

/// The state of an order that was placed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    pub(super) status: OrderStatus,
    pub(super) code: String,
    pub(super) customer: Option<CustomerId>,
    pub(super) id: OrderId,
    /// A guest's e-mail address.
    pub(super) email: Option<Personal<String>>,
    /// Whom its personal data tells about.
    pub(super) person: Person,
    /// Whether that was somebody else before, whose key is destroyed.
    pub(super) is_erased: bool,
    pub(super) destination: Destination,
    pub(super) cart: Option<CartId>,
    /// They never change, so that copies of the state share them.
    pub(super) lines: Arc<[Line]>,
    pub(super) total: Money,
    pub(super) cancellation: Option<Reason>,
    pub(super) paid_outside: bool,
    pub(super) shipment: Option<(String, String)>,
    /// Units that came back, by SKU.
    pub(super) returned: BTreeMap<Sku, u32>,
    /// The price of what came back, in minor units.
    pub(super) refunded: i64,
}

/// What is known of where the goods go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Destination {
    /// Nobody said.
    Unknown,
    /// Somebody did.
    Known,
    /// It went with somebody's key.
    Erased,
}

impl Destination {
    pub(super) fn of(address: Option<&Personal<Address>>) -> Self {
        match address {
            None => Self::Unknown,
            Some(address) if address.is_erased() => Self::Erased,
            Some(_) => Self::Known,
        }
    }
}

/// What decisions need of a line.
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

impl Placed {
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
    /// Where it stands; none when it was never placed.
    pub fn status(&self) -> Option<OrderStatus> {
        self.placed.as_ref().map(|placed| placed.status)
    }

    /// Who bought; none for a guest.
    pub fn customer(&self) -> Option<&CustomerId> {
        self.placed.as_ref()?.customer.as_ref()
    }

    /// Whom its personal data tells about, and what is said of it next.
    pub fn person(&self) -> Option<&Person> {
        self.placed.as_ref().map(|placed| &placed.person)
    }

    /// Whose key seals where the goods go, while they have not gone.
    pub fn address_person(&self) -> Option<&Person> {
        let order = self.placed.as_ref().filter(|order| order.destination == Destination::Known)?;
        (order.status == OrderStatus::Confirmed).then_some(&order.person)
    }

    /// A guest's e-mail address, while the order is a guest's.
    pub fn guest_email(&self) -> Option<&Personal<String>> {
        let order = self.placed.as_ref().filter(|order| order.customer.is_none() && !order.is_erased)?;
        order.email.as_ref()
    }

    /// The cart it was ordered from.
    pub fn cart(&self) -> Option<CartId> {
        self.placed.as_ref()?.cart
    }

    /// What it costs.
    pub fn total(&self) -> Option<Money> {
        self.placed.as_ref().map(|placed| placed.total)
    }

    /// The code for people.
    pub fn code(&self) -> Option<&str> {
        self.placed.as_ref().map(|placed| placed.code.as_str())
    }
}
