//! Sweep that attaches guest orders to customers. If the e-mail address of a guest order belongs to a user,
//! the order becomes an order of this customer. Its personal data, and then the notes of staff on it, are
//! encrypted with the key of the customer, and the key of the order is destroyed.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Ports;
use souk_domain::order::{Order, OrderCommand, OrderStatus};
use souk_domain::order_notes::{OrderNotes, OrderNotesCommand};
use souk_domain::{CustomerId, Email, OrderId};
use souk_eventsourcing::personal::Linked;
use souk_eventsourcing::{CommandRequest, KeysUnavailable, Personal, Position, Revision};
use souk_projections::orders::OrderRow;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Sweep, SweepContext, origin};

/// Time after the payment timeout when every call to the payment provider has ended.
const CALL_GRACE: SignedDuration = SignedDuration::from_secs(300);
/// Microseconds before the newest order from which on the first step after a start links orders. An order
/// that a crash kept from being linked is newer.
const FIRST_LOOK_BACK_US: i64 = 3_600_000_000;
/// Microseconds before the last linked order from which on the next step links orders. The overlap is needed
/// because orders reach the read models some time after they are placed.
const LOOK_BACK_US: i64 = 10_000_000;
/// Maximum number of links that one step handles.
const LINKS_MAX: usize = 500;

/// State of the sweep. Each step handles the next links between guest orders and e-mail addresses that have
/// an account. The links are in the index beside the keys of people. A link is deleted when the order is
/// attached or its guest is erased.
pub(super) struct UnattachedOrders {
    /// Lock of the sweeps that change people, see [`SweepContext::people_lock`].
    pub(super) people_lock: Arc<tokio::sync::Mutex<()>>,
    /// Position of the read models.
    pub(super) reached: watch::Receiver<Position>,
    /// True if the read models are built.
    pub(super) built: watch::Receiver<bool>,
    /// End of the log when the shop was started.
    pub(super) head_at_start: Position,
    /// Last link of the previous step. `None` at the beginning of a pass.
    pub(super) after: Option<Linked>,
    /// Last linked guest order: its time in microseconds and its id. `None` before the first step.
    pub(super) linked_to: Option<(i64, String)>,
    /// Last guest order of an older log that was added to the index. `None` after all were added.
    pub(super) orders_added: Option<String>,
    /// Latest time, in microseconds, at which a user of an older log who was added to the index proved the
    /// address.
    pub(super) users_added: i64,
}

impl UnattachedOrders {
    /// Creates a sweep that has handled nothing yet.
    pub(super) fn new(context: &SweepContext) -> Self {
        let SweepContext { reached, built, head_at_start, people_lock, .. } = context.clone();
        Self {
            people_lock,
            reached,
            built,
            head_at_start,
            after: None,
            linked_to: None,
            orders_added: Some(String::new()),
            users_added: 0,
        }
    }
}

#[async_trait]
impl Sweep for UnattachedOrders {
    fn name(&self) -> &'static str {
        "guest-order-sweep"
    }

    fn exclusive_lock(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(Arc::clone(&self.people_lock))
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        if *self.built.borrow() && *self.reached.borrow() >= self.head_at_start {
            for result in [self.add_older(pool, ports).await?, self.link_new(pool, ports).await?] {
                if let Err(error) = result {
                    tracing::warn!(%error, "the index of people can't be written; the sweep will try again");
                    return Ok(());
                }
            }
        }
        let found = match ports.people.linked_after(self.after.as_ref(), LINKS_MAX).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the index of people can't be read");
                return Ok(());
            }
        };
        for Linked { name, alias, person } in &found {
            let order = person.parts().1;
            let statement = sqlx::query_as(include_str!("guests.sql")).bind(alias).bind(order);
            let owned: Option<(Vec<u8>, String)> = statement.fetch_optional(pool).await?;
            let Some((row, user)) = owned else { continue };
            if let Err(error) = self.attach(ports, order, name, &row, &user).await {
                tracing::warn!(order, error, "a guest order could not be attached; the sweep will try again");
            }
        }
        self.after = if found.len() < LINKS_MAX { None } else { found.last().cloned() };
        Ok(())
    }
}

impl UnattachedOrders {
    /// Adds the keyed hashes of e-mail addresses in older logs to the index: of guest orders, and of users
    /// with a verified address. Such a hash is used as its own alias.
    async fn add_older(
        &mut self,
        pool: &SqlitePool,
        ports: &Ports,
    ) -> Result<Result<(), KeysUnavailable>, sqlx::Error> {
        let users = sqlx::query_as::<_, (i64, String)>(include_str!("older_users.sql"));
        let users = users.bind(self.users_added).bind(STEP_ROWS_MAX).fetch_all(pool).await?;
        for (proven_at, hash) in &users {
            if let Err(error) = ports.people.adopt_alias(hash).await {
                return Ok(Err(error));
            }
            self.users_added = self.users_added.max(*proven_at);
        }
        if let Some(after) = self.orders_added.clone() {
            let orders = older(pool, include_str!("older_guests.sql"), &after).await?;
            let link = |(order, hash): &(String, String)| {
                Some((order.parse().map(OrderId).ok()?.guest(), hash.clone()))
            };
            if let Err(error) = ports.people.link(orders.iter().filter_map(link).collect()).await {
                return Ok(Err(error));
            }
            self.orders_added = orders.last().map(|(order, _)| order.clone());
        }
        Ok(Ok(()))
    }

    /// Links new guest orders with their e-mail addresses. Links are created only here, from orders in the
    /// read models, so a refused order never has a link.
    async fn link_new(
        &mut self,
        pool: &SqlitePool,
        ports: &Ports,
    ) -> Result<Result<(), KeysUnavailable>, sqlx::Error> {
        if self.linked_to.is_none() {
            let newest: Option<i64> =
                sqlx::query_scalar("SELECT max(placed_at) FROM orders").fetch_one(pool).await?;
            self.linked_to = Some((newest.unwrap_or_default() - FIRST_LOOK_BACK_US, String::new()));
        }
        let Some((placed_at, order)) = &self.linked_to else { return Ok(Ok(())) };
        let found = sqlx::query_as::<_, (i64, String, Vec<u8>)>(include_str!("new_orders.sql"));
        let found = found.bind(placed_at).bind(order).bind(STEP_ROWS_MAX).fetch_all(pool).await?;
        let mut emails = Vec::new();
        for (_, _, doc) in &found {
            let row: OrderRow =
                serde_json::from_slice(doc).map_err(|error| sqlx::Error::Decode(error.into()))?;
            emails.extend(row.guest_email().cloned());
        }
        let guests = emails.iter().map(|email| email.person().clone()).collect();
        let keys = match ports.people.to_open(guests).await {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        let link = |sealed: &Personal<String>| {
            let email = Email::parse(&sealed.reveal(&keys)?).ok()?;
            Some((sealed.person().clone(), email.hash(&ports.keys.email_hash).as_str().to_owned()))
        };
        if let Err(error) = ports.people.link(emails.iter().filter_map(link).collect()).await {
            return Ok(Err(error));
        }
        if let Some((placed_at, order, _)) = found.last() {
            let is_whole_page = i64::try_from(found.len()).is_ok_and(|rows| rows == STEP_ROWS_MAX);
            let next = if is_whole_page {
                (*placed_at, order.clone())
            } else {
                (placed_at - LOOK_BACK_US, String::new())
            };
            self.linked_to = Some(next);
        }
        Ok(Ok(()))
    }

    /// Attaches an order to a customer, if the e-mail address of the guest is the linked one.
    async fn attach(
        &self,
        ports: &Ports,
        order: &str,
        name: &str,
        row: &[u8],
        user: &str,
    ) -> Result<(), String> {
        let order = order.parse().map(OrderId).map_err(text)?;
        let row: OrderRow = serde_json::from_slice(row).map_err(text)?;
        let customer = CustomerId::parse(user).map_err(text)?;
        let guest = order.guest();
        // The token of a running payment is encrypted with the key of the guest.
        if !is_paid_or_over(&row, ports) {
            return Ok(());
        }
        if let Some(customer) = &row.customer {
            // The read models already have the order under its customer, so only notes still need the key of
            // the guest.
            self.reseal_notes(ports, order, customer).await?;
            return ports.people.erase(&guest, ports.clock.now()).await.map_err(text);
        }
        // The order of an erased guest is not attached, and no order is attached to an erased customer.
        for person in [&guest, &customer.person()] {
            if ports.people.is_erased(person).await.map_err(text)? {
                return Ok(());
            }
        }
        let keys = ports.people.to_open(vec![guest.clone()]).await.map_err(text)?;
        let email = row.email.and_then(|email| email.reveal(&keys));
        let email = email.and_then(|email| Email::parse(&email).ok());
        // In older versions, a refused request may have linked the order with another address.
        if email.as_ref().is_some_and(|email| email.hash(&ports.keys.email_hash).as_str() != name) {
            return ports.people.unlink(&guest, name).await.map_err(text);
        }
        let attach = OrderCommand::Attach {
            customer,
            email,
            shipping_address: row.shipping_address.and_then(|address| address.reveal(&keys)).map(Box::new),
        };
        let request = CommandRequest::new(Order::stream(order), attach, origin(ports, self.name()));
        // The command fails if the order changed after the row was written. The next step then reads the new
        // row.
        let request = CommandRequest { if_match: Some(Revision(row.revision).into()), ..request };
        ports.aggregates.orders.execute(request).await.map_err(text)?;
        Ok(())
    }

    /// Seals the notes on an order that are sealed with the key of the guest with the key of the customer.
    /// Fails if a note changed meanwhile, so that the key of the guest is still needed.
    async fn reseal_notes(&self, ports: &Ports, order: OrderId, customer: &CustomerId) -> Result<(), String> {
        let guest = order.guest();
        let stream = OrderNotes::stream(order);
        let notes = &ports.aggregates.order_notes;
        let Some(before) = notes.load(&stream).await.map_err(text)? else { return Ok(()) };
        let keys = ports.people.to_open(vec![guest.clone()]).await.map_err(text)?;
        for (note, stored) in before.state.sealed_for(&guest) {
            let Some(words) = stored.reveal(&keys) else { continue };
            let resealed = Personal::new(customer.person(), "text", words);
            let command = OrderNotesCommand::Reseal { note, stored: stored.clone(), text: resealed };
            let request = CommandRequest::new(stream.clone(), command, origin(ports, self.name()));
            notes.execute(request).await.map_err(text)?;
        }
        let after = notes.load(&stream).await.map_err(text)?;
        let is_left = after.is_some_and(|after| {
            after.state.sealed_for(&guest).any(|(_, stored)| stored.reveal(&keys).is_some())
        });
        if is_left { Err("a note on the order changed meanwhile".to_owned()) } else { Ok(()) }
    }
}

/// Returns true if no call to the payment provider needs the token of the order any more: the order is paid,
/// or it ended so long ago that every call has ended too.
fn is_paid_or_over(row: &OrderRow, ports: &Ports) -> bool {
    match row.status {
        OrderStatus::Placed | OrderStatus::PaymentPending => false,
        OrderStatus::Cancelled | OrderStatus::TimedOut => {
            let timeout =
                SignedDuration::try_from(ports.settings.payment_timeout).unwrap_or(SignedDuration::MAX);
            ports.clock.now().duration_since(row.placed_at) > timeout.saturating_add(CALL_GRACE)
        }
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Returned => {
            true
        }
    }
}

/// Reads one page of keys and keyed hashes.
async fn older(
    pool: &SqlitePool,
    sql: &'static str,
    after: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(sql).bind(after).bind(STEP_ROWS_MAX).fetch_all(pool).await
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
