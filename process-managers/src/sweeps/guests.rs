//! Attachment of guest orders to customers. If the e-mail address of a guest order belongs to a user, the order
//! becomes an order of this customer. Its personal data, and then the notes of staff on it, are encrypted with
//! the key of the customer, and the key of the order is destroyed.
//!
//! The links between guest orders and e-mail addresses are in the index beside the keys of people. A link is
//! deleted when the order is attached or its guest is erased.

use jiff::{SignedDuration, Timestamp};
use souk_domain::address::Address;
use souk_domain::order::{Order, OrderCommand, OrderStatus};
use souk_domain::order_notes::{OrderNotes, OrderNotesCommand};
use souk_domain::{CustomerId, Email, OrderId};
use souk_eventsourcing::{CommandRequest, KeysUnavailable, Personal, Revision};

use super::{SweepError, origin};
use crate::ports::ShopPorts;

/// Name of the sweep.
pub const NAME: &str = "guest-order-sweep";

/// Time after the payment timeout when every call to the payment provider has ended.
const CALL_GRACE: SignedDuration = SignedDuration::from_secs(300);
/// Microseconds before the newest order from which on the first step after a start links orders. An order
/// that a crash kept from being linked is newer.
const FIRST_LOOK_BACK_US: i64 = 3_600_000_000;
/// Microseconds before the last linked order from which on the next step links orders. The overlap is needed
/// because orders reach the read models some time after they are placed.
const LOOK_BACK_US: i64 = 10_000_000;

/// Settings of the shop on which the sweep depends.
#[derive(Clone, Copy)]
pub struct GuestSettings<'a> {
    /// Key of the keyed hashes of e-mail addresses.
    pub email_hash_key: &'a [u8; 32],
    /// Time from placing an order until it times out without payment.
    pub payment_timeout: SignedDuration,
}

/// Place of an order in the order of placement: orders after it are linked next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedTo {
    /// Time at which the order was placed, in microseconds.
    pub placed_at_us: i64,
    /// Id of the order as text; empty for a place before all orders of that time.
    pub order: String,
}

impl LinkedTo {
    /// Returns the place from which the first step after a start links orders. `newest` is the time of the
    /// newest order.
    pub fn at_start(newest_us: Option<i64>) -> Self {
        Self { placed_at_us: newest_us.unwrap_or_default() - FIRST_LOOK_BACK_US, order: String::new() }
    }

    /// Returns the place from which the next step links orders, after a page that ends with this order.
    pub fn after_page(last: Self, is_whole_page: bool) -> Self {
        if is_whole_page {
            last
        } else {
            Self { placed_at_us: last.placed_at_us - LOOK_BACK_US, order: String::new() }
        }
    }
}

/// Links guest orders with their e-mail addresses. Links are created only here, from orders in the read
/// models, so a refused order never has a link.
pub async fn link(
    ports: &ShopPorts,
    emails: Vec<Personal<String>>,
    settings: GuestSettings<'_>,
) -> Result<(), KeysUnavailable> {
    let guests = emails.iter().map(|email| email.person().clone()).collect();
    let keys = ports.people.keys_for_opening(guests).await?;
    let link = |sealed: &Personal<String>| {
        let email = Email::parse(&sealed.reveal(&keys)?).ok()?;
        Some((sealed.person().clone(), email.hash(settings.email_hash_key).as_str().to_owned()))
    };
    ports.people.link(emails.iter().filter_map(link).collect()).await
}

/// Links guest orders of an older log with the keyed hashes of their e-mail addresses, which that log
/// contains.
pub async fn link_older(
    ports: &ShopPorts,
    orders: impl IntoIterator<Item = (OrderId, String)>,
) -> Result<(), KeysUnavailable> {
    ports.people.link(orders.into_iter().map(|(order, hash)| (order.guest(), hash)).collect()).await
}

/// Order whose link belongs to the address of a user, as the read models know it.
#[derive(Clone, Debug)]
pub struct LinkedOrder {
    /// Id of the order.
    pub order: OrderId,
    /// Revision of the order.
    pub revision: Revision,
    /// Status of the order.
    pub status: OrderStatus,
    /// Time at which the order was placed.
    pub placed_at: Timestamp,
    /// Customer of the order, if it is attached.
    pub customer: Option<CustomerId>,
    /// E-mail address, sealed with the key of the guest.
    pub email: Option<Personal<String>>,
    /// Shipping address, sealed with the key of the guest.
    pub shipping_address: Option<Personal<Address>>,
    /// Keyed hash of the e-mail address with which the order is linked.
    pub linked_hash: String,
}

/// Attaches an order to the customer who owns its e-mail address. If it is attached already, destroys the key
/// of the guest.
pub async fn attach(
    ports: &ShopPorts,
    linked: LinkedOrder,
    customer: CustomerId,
    settings: GuestSettings<'_>,
) -> Result<(), SweepError> {
    // The token of a running payment is encrypted with the key of the guest.
    if !is_paid_or_over(&linked, settings.payment_timeout, ports.clock.now()) {
        return Ok(());
    }
    let LinkedOrder { order, revision, email, shipping_address, linked_hash, .. } = linked;
    let guest = order.guest();
    if let Some(customer) = &linked.customer {
        // The read models already have the order under its customer, so only notes still need the key of the
        // guest.
        reseal_notes(ports, order, customer).await?;
        ports.people.erase(&guest, ports.clock.now()).await?;
        return Ok(());
    }
    // The order of an erased guest is not attached, and no order is attached to an erased customer.
    for person in [&guest, &customer.person()] {
        if ports.people.is_erased(person).await? {
            return Ok(());
        }
    }
    let keys = ports.people.keys_for_opening(vec![guest.clone()]).await?;
    let email = email.and_then(|email| email.reveal(&keys));
    let email = email.and_then(|email| Email::parse(&email).ok());
    // In older versions, a refused request may have linked the order with another address.
    if email.as_ref().is_some_and(|email| email.hash(settings.email_hash_key).as_str() != linked_hash) {
        ports.people.unlink(&guest, &linked_hash).await?;
        return Ok(());
    }
    let shipping_address = shipping_address.and_then(|address| address.reveal(&keys)).map(Box::new);
    let attach = OrderCommand::Attach { customer, email, shipping_address };
    let request = CommandRequest::new(Order::stream(order), attach, origin(&*ports.clock, NAME));
    // The command fails if the order changed after the row was written. The next step then reads the new row.
    let request = CommandRequest { if_match: Some(revision.into()), ..request };
    ports.aggregates.orders.execute(request).await?;
    Ok(())
}

/// Seals the notes on an order that are sealed with the key of the guest with the key of the customer. Fails
/// if a note changed meanwhile, so that the key of the guest is still needed.
async fn reseal_notes(ports: &ShopPorts, order: OrderId, customer: &CustomerId) -> Result<(), SweepError> {
    let guest = order.guest();
    let stream = OrderNotes::stream(order);
    let notes = &ports.aggregates.order_notes;
    let Some(before) = notes.load(&stream).await? else { return Ok(()) };
    let keys = ports.people.keys_for_opening(vec![guest.clone()]).await?;
    for (note, stored) in before.state.sealed_for(&guest) {
        let Some(words) = stored.reveal(&keys) else { continue };
        let resealed = Personal::new(customer.person(), "text", words);
        let command = OrderNotesCommand::Reseal { note, stored: stored.clone(), text: resealed };
        let request = CommandRequest::new(stream.clone(), command, origin(&*ports.clock, NAME));
        notes.execute(request).await?;
    }
    let after = notes.load(&stream).await?;
    let is_left = after.is_some_and(|after| {
        after.state.sealed_for(&guest).any(|(_, stored)| stored.reveal(&keys).is_some())
    });
    if is_left { Err(SweepError("a note on the order changed meanwhile".to_owned())) } else { Ok(()) }
}

/// Returns true if no call to the payment provider needs the token of the order any more: the order is paid,
/// or it ended so long ago that every call has ended too.
fn is_paid_or_over(linked: &LinkedOrder, payment_timeout: SignedDuration, now: Timestamp) -> bool {
    match linked.status {
        OrderStatus::Placed | OrderStatus::PaymentPending => false,
        OrderStatus::Cancelled | OrderStatus::TimedOut => {
            now.duration_since(linked.placed_at) > payment_timeout.saturating_add(CALL_GRACE)
        }
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Returned => {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_links_the_orders_of_the_last_seconds_again_unless_more_orders_wait() {
        let last = LinkedTo { placed_at_us: 50_000_000, order: "8".to_owned() };
        assert_eq!(LinkedTo::after_page(last.clone(), true), last);
        let overlapping = LinkedTo { placed_at_us: 40_000_000, order: String::new() };
        assert_eq!(LinkedTo::after_page(last, false), overlapping);
    }
}
