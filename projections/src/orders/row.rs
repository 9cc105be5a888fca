//! Row of the read model `orders`.

use serde::{Deserialize, Serialize};
use souk_domain::order::OrderStatus;
use souk_domain::order::event::{Charge, Reason};
use souk_domain::{Address, CartId, CustomerId, EmailHash, Money, OrderId, PaymentId, PersonalText, Sku};
use souk_eventsourcing::{Person, Personal, Timestamp};

/// Order without its lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    /// Current status of the order.
    pub status: OrderStatus,
    /// Short code that people use to name the order, as in `SK-7F3K-9QXM`.
    pub code: String,
    /// Customer who bought; `None` for a guest's order.
    pub customer: Option<CustomerId>,
    /// Cart from which the order was placed.
    pub cart: Option<CartId>,
    /// E-mail address of the guest.
    pub email: Option<Personal<String>>,
    /// Keyed hash of the guest's e-mail address. Only orders from before 2026-11-30 have it.
    pub email_hash: Option<EmailHash>,
    /// Postal address to which the goods are shipped.
    pub shipping_address: Option<Personal<Address>>,
    /// Number of units of all lines.
    pub units: i64,
    /// Shipping costs, taxes and discounts.
    pub charges: Vec<Charge>,
    /// Sum of lines and charges.
    pub total: Money,
    /// Id of the payment. The payment may never have been requested.
    pub payment: PaymentId,
    /// Reason why the order was cancelled or timed out.
    pub reason: Option<Reason>,
    /// SKUs that had too few units in stock.
    pub failed_skus: Vec<Sku>,
    /// Events of the order for people, in order of time.
    pub timeline: Vec<TimelineEntry>,
    /// Time at which the buyer placed the order.
    pub placed_at: Timestamp,
    /// Time at which the order was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// True if the order was confirmed because it was paid outside the shop, for example in cash.
    pub is_paid_outside: bool,
    /// Refunds outside the shop, for an order that was paid outside.
    pub given_back_outside: Vec<OutsideRefund>,
    /// True if the person who placed the order was erased.
    pub is_erased: bool,
    /// True if the shipping address was erased with its person.
    pub is_address_erased: bool,
    /// Last revision of the order's stream.
    pub revision: u64,
}

/// Part of an [`OrderRow`] that names the guest. It can be parsed even if the rest of the row can't.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestOfOrder {
    customer: Option<CustomerId>,
    email: Option<Personal<String>>,
    is_erased: bool,
}

impl GuestOfOrder {
    /// Parses the document of an order; `None` if it is unreadable.
    pub fn parse(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }

    /// Returns the e-mail address of the guest, like [`OrderRow::guest_email`].
    pub fn email(self) -> Option<Personal<String>> {
        self.email.filter(|_| self.customer.is_none() && !self.is_erased)
    }
}

/// Entry of an order's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// Time of the event.
    pub at: Timestamp,
    /// Event type without its category, as in `payment-awaited`.
    pub event: String,
    /// Additional text for people, such as a reason or a tracking number.
    pub detail: Option<PersonalText>,
}

/// Refund outside the shop, for goods that were returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutsideRefund {
    /// Time at which the goods were returned.
    pub at: Timestamp,
    /// Amount in minor units of the order's currency.
    pub amount: i64,
}

/// State of the stock reservation of an order line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineReservation {
    /// The reservation has been requested.
    Pending,
    /// The units are held for the order.
    Reserved,
    /// The units belong to the buyer.
    Confirmed,
    /// The units are available to other orders again.
    Released,
    /// Too few units were in stock.
    Failed,
}

impl OrderRow {
    /// Returns the people whose keys open e-mail address, shipping address and timeline texts.
    pub fn people(&self) -> impl Iterator<Item = Person> {
        let email = self.email.as_ref().map(|email| email.person().clone());
        let address = self.shipping_address.as_ref().map(|address| address.person().clone());
        let texts = self.timeline.iter().filter_map(|entry| entry.detail.as_ref()?.person().cloned());
        email.into_iter().chain(address).chain(texts)
    }

    /// Returns the person whose key opens the shipping address; `None` if the address is erased.
    pub fn person_of_address(&self) -> Option<&Person> {
        self.shipping_address.as_ref().filter(|_| !self.is_address_erased).map(Personal::person)
    }

    /// Returns the e-mail address of a guest's order; `None` after the order was attached to a customer or
    /// erased.
    pub fn guest_email(&self) -> Option<&Personal<String>> {
        self.email.as_ref().filter(|_| self.customer.is_none() && !self.is_erased)
    }

    /// Returns true if `person` stands for an order whose buyer was erased. Data that the shop adds to such
    /// an order is sealed with the key of this person.
    pub fn is_of_shop(&self, person: &Person) -> bool {
        self.is_erased && person.parts().0 == OrderId::READDRESSED
    }

    /// Returns the keyed hash of the e-mail address of a guest's order; `None` after the order was attached
    /// to a customer or erased, and for orders from 2026-11-30 on.
    pub fn guest_email_hash(&self) -> Option<&EmailHash> {
        self.email_hash.as_ref().filter(|_| self.customer.is_none() && !self.is_erased)
    }

    /// Returns true if staff marked the order as paid outside the shop.
    pub fn is_marked_as_paid_outside(&self) -> bool {
        self.timeline.iter().any(|entry| entry.event == "paid-outside")
    }

    /// Returns true if the order can't be shipped because its address was erased. The shop must then enter an
    /// address or cancel the order.
    pub fn waits_for_an_address(&self) -> bool {
        let is_unshipped =
            matches!(self.status, OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed);
        self.is_address_erased && is_unshipped
    }

    /// Returns the price of returned goods in minor units. `value` is the price in the event. Older events
    /// have no price; then the last return counts the rest of the total, and an earlier one counts nothing.
    pub(super) fn price_of_return(&self, value: Option<Money>, complete: bool) -> i64 {
        let refunded: i64 = self.given_back_outside.iter().map(|refund| refund.amount).sum();
        let rest = if complete { self.total.amount - refunded } else { 0 };
        value.map_or(rest, |value| value.amount)
    }

    /// Returns the state of a line's reservation. `has_failed` is true if the line's SKU is in
    /// [`OrderRow::failed_skus`].
    pub fn reservation(&self, has_failed: bool) -> LineReservation {
        match self.status {
            OrderStatus::Placed => LineReservation::Pending,
            OrderStatus::PaymentPending => LineReservation::Reserved,
            OrderStatus::Confirmed
            | OrderStatus::Shipped
            | OrderStatus::Delivered
            | OrderStatus::Returned => LineReservation::Confirmed,
            OrderStatus::Cancelled | OrderStatus::TimedOut if has_failed => LineReservation::Failed,
            OrderStatus::Cancelled | OrderStatus::TimedOut => LineReservation::Released,
        }
    }
}
