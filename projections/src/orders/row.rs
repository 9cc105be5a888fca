//! The document of an order.

use serde::{Deserialize, Serialize};
use souk_domain::order::OrderStatus;
use souk_domain::order::event::{Charge, Reason};
use souk_domain::{Address, CartId, CustomerId, EmailHash, Money, OrderId, PaymentId, PersonalText, Sku};
use souk_eventsourcing::{Person, Personal, Timestamp};

/// An order, without its lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    /// Where it stands.
    pub status: OrderStatus,
    /// For people.
    pub code: String,
    /// Who buys; none for a guest.
    pub customer: Option<CustomerId>,
    /// The cart it comes from.
    pub cart: Option<CartId>,
    /// A guest's e-mail address.
    pub email: Option<Personal<String>>,
    /// The keyed hash of that address, in orders of before 2026-11-30.
    pub email_hash: Option<EmailHash>,
    /// Where the goods go.
    pub shipping_address: Option<Personal<Address>>,
    /// Units of all lines.
    pub units: i64,
    /// Shipping, tax, discounts.
    pub charges: Vec<Charge>,
    /// Lines and charges.
    pub total: Money,
    /// Its payment, which may never have been asked for.
    pub payment: PaymentId,
    /// Why it ended early.
    pub reason: Option<Reason>,
    /// SKUs that there was not enough of.
    pub failed_skus: Vec<Sku>,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// When the buyer asked for it.
    pub placed_at: Timestamp,
    /// When it was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// True when it was confirmed with money that came outside.
    pub is_paid_outside: bool,
    /// Money that is given back outside, since it came outside.
    pub given_back_outside: Vec<GivenBack>,
    /// Whether whom it told about when it was placed is erased.
    pub is_erased: bool,
    /// Whether where the goods go went with that.
    pub is_address_erased: bool,
    /// Of its stream.
    pub revision: u64,
}

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The event, as in `payment-awaited`.
    pub event: String,
    /// In words.
    pub detail: Option<PersonalText>,
}

/// Money that is given back outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenBack {
    /// When the goods came back.
    pub at: Timestamp,
    /// Minor units.
    pub amount: i64,
}

/// What became of a line's reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineReservation {
    /// It is being made.
    Pending,
    /// Units are held.
    Reserved,
    /// They are the buyer's.
    Confirmed,
    /// They are free again.
    Released,
    /// There was not enough.
    Failed,
}

impl OrderRow {
    /// People whose keys open e-mail address, address and texts.
    pub fn people(&self) -> impl Iterator<Item = Person> {
        let email = self.email.as_ref().map(|email| email.person().clone());
        let address = self.shipping_address.as_ref().map(|address| address.person().clone());
        let texts = self.timeline.iter().filter_map(|moment| moment.detail.as_ref()?.person().cloned());
        email.into_iter().chain(address).chain(texts)
    }

    /// The person whose key opens the address, unless the log says that it is erased.
    pub fn person_of_address(&self) -> Option<&Person> {
        self.shipping_address.as_ref().filter(|_| !self.is_address_erased).map(Personal::person)
    }

    /// A guest's e-mail address, while the order is a guest's.
    pub fn guest_email(&self) -> Option<&Personal<String>> {
        self.email.as_ref().filter(|_| self.customer.is_none() && !self.is_erased)
    }

    /// Returns true if a person is the order itself after its buyer was erased: who is told of what the shop says
    /// since.
    pub fn is_of_shop(&self, person: &Person) -> bool {
        self.is_erased && person.parts().0 == OrderId::READDRESSED
    }

    /// The keyed hash of a guest's e-mail address, while the order is a guest's; none in newer orders.
    pub fn guest_email_hash(&self) -> Option<&EmailHash> {
        self.email_hash.as_ref().filter(|_| self.customer.is_none() && !self.is_erased)
    }

    /// Returns true if staff said that the money came outside.
    pub fn is_marked_as_paid_outside(&self) -> bool {
        self.timeline.iter().any(|moment| moment.event == "paid-outside")
    }

    /// Whether it can't be shipped until the shop cancels it or gets an address.
    pub fn waits_for_an_address(&self) -> bool {
        let is_unshipped =
            matches!(self.status, OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed);
        self.is_address_erased && is_unshipped
    }

    /// The price of goods that come back, in minor units. Older logs don't say it: there the last return takes all
    /// that is left.
    pub(super) fn price_of_return(&self, value: Option<Money>, complete: bool) -> i64 {
        let before: i64 = self.given_back_outside.iter().map(|part| part.amount).sum();
        let left = if complete { self.total.amount - before } else { 0 };
        value.map_or(left, |value| value.amount)
    }

    /// The fate of a line's reservation; `has_failed` says whether its SKU is among the failed ones.
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
