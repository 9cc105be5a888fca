//! Guests' orders whose e-mail address turns out to be somebody's become theirs: what was under the order's
//! key is sealed under theirs, and the order's key is destroyed.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Shop;
use souk_domain::order::{Order, OrderCommand, OrderStatus};
use souk_domain::{CustomerId, Email, OrderId};
use souk_eventsourcing::personal::Linked;
use souk_eventsourcing::{CommandRequest, KeysUnavailable, Personal, Position, Revision};
use souk_projections::orders::OrderRow;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Standing, Sweep, origin};

/// The time after the payment timeout by which every call to the payment provider has ended.
const CALL_GRACE: SignedDuration = SignedDuration::from_secs(300);
/// The time before the newest order, in microseconds, from which on the first look after a start links orders: what
/// a crash kept from being linked is younger.
const FIRST_LOOK_BACK_US: i64 = 3_600_000_000;
/// The time before the last order of a look, in microseconds, from which on the next one begins: orders come into the
/// read models a little later than they are placed.
const LOOK_BACK_US: i64 = 10_000_000;
/// Links looked at in one step.
const LINKS_MAX: usize = 500;

/// Each step looks at the next links of guests' orders with addresses that have an account. They lie in the index
/// beside the keys of people, and go when the order is attached or its guest erased.
pub(super) struct Unattached {
    /// See [`Standing::people`].
    pub(super) people: Arc<tokio::sync::Mutex<()>>,
    /// How far the read models are.
    pub(super) reached: watch::Receiver<Position>,
    /// Whether they are built.
    pub(super) built: watch::Receiver<bool>,
    /// The last position of the log when the shop was started.
    pub(super) head_at_start: Position,
    /// The last link of the step before; none at the beginning of a pass.
    pub(super) after: Option<Linked>,
    /// The order up to which guests' orders are linked, as the microsecond of its placing and its id; none before the
    /// first look.
    pub(super) linked_to: Option<(i64, String)>,
    /// The last guest's order of an older log that is in the index; none once all are.
    pub(super) orders_taken_in: Option<String>,
    /// The latest moment, in microseconds, at which the address of a user of an older log who is in the index was proven.
    pub(super) users_taken_in: i64,
}

impl Unattached {
    /// A sweep that has looked at nothing yet.
    pub(super) fn new(standing: &Standing) -> Self {
        let Standing { reached, built, head_at_start, people, .. } = standing.clone();
        Self {
            people,
            reached,
            built,
            head_at_start,
            after: None,
            linked_to: None,
            orders_taken_in: Some(String::new()),
            users_taken_in: 0,
        }
    }
}

#[async_trait]
impl Sweep for Unattached {
    fn name(&self) -> &'static str {
        "guest-order-sweep"
    }

    fn alone(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(Arc::clone(&self.people))
    }

    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        if *self.built.borrow() && *self.reached.borrow() >= self.head_at_start {
            for taken in [self.take_in(pool, shop).await?, self.link_new(pool, shop).await?] {
                if let Err(error) = taken {
                    tracing::warn!(%error, "the index of people can't be written; the next sweep tries again");
                    return Ok(());
                }
            }
        }
        let found = match shop.people.linked_after(self.after.as_ref(), LINKS_MAX).await {
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
            if let Err(error) = self.attach(shop, order, name, &row, &user).await {
                tracing::warn!(order, error, "a guest's order is not attached; the next sweep tries again");
            }
        }
        self.after = if found.len() < LINKS_MAX { None } else { found.last().cloned() };
        Ok(())
    }
}

impl Unattached {
    /// Takes what older logs hold into the index: keyed hashes of the addresses of guests, and of users as they are
    /// verified. Each becomes its own alias.
    async fn take_in(
        &mut self,
        pool: &SqlitePool,
        shop: &Shop,
    ) -> Result<Result<(), KeysUnavailable>, sqlx::Error> {
        let users = sqlx::query_as::<_, (i64, String)>(include_str!("older_users.sql"));
        let users = users.bind(self.users_taken_in).bind(STEP_ROWS_MAX).fetch_all(pool).await?;
        for (proven_at, hash) in &users {
            if let Err(error) = shop.people.adopt_alias(hash).await {
                return Ok(Err(error));
            }
            self.users_taken_in = self.users_taken_in.max(*proven_at);
        }
        if let Some(after) = self.orders_taken_in.clone() {
            let orders = older(pool, include_str!("older_guests.sql"), &after).await?;
            let link = |(order, hash): &(String, String)| {
                Some((order.parse().map(OrderId).ok()?.guest(), hash.clone()))
            };
            if let Err(error) = shop.people.link(orders.iter().filter_map(link).collect()).await {
                return Ok(Err(error));
            }
            self.orders_taken_in = orders.last().map(|(order, _)| order.clone());
        }
        Ok(Ok(()))
    }

    /// Links guests' orders that were placed since the last look with the addresses they were placed with. Nothing
    /// else makes a link, so that none stands for an order that was refused.
    async fn link_new(
        &mut self,
        pool: &SqlitePool,
        shop: &Shop,
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
        let keys = match shop.people.to_open(guests).await {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        let link = |sealed: &Personal<String>| {
            let email = Email::parse(&sealed.reveal(&keys)?).ok()?;
            Some((sealed.person().clone(), email.hash(&shop.keys.email_hash).as_str().to_owned()))
        };
        if let Err(error) = shop.people.link(emails.iter().filter_map(link).collect()).await {
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

    /// Attaches an order to a customer, if the guest's address is the one that is linked.
    async fn attach(
        &self,
        shop: &Shop,
        order: &str,
        name: &str,
        row: &[u8],
        user: &str,
    ) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let order = order.parse().map(OrderId).map_err(|error: uuid::Error| text(&error))?;
        let row: OrderRow = serde_json::from_slice(row).map_err(|error| text(&error))?;
        let customer = CustomerId::parse(user).map_err(|error| text(&error))?;
        let guest = order.guest();
        // The token of a payment that is under way is sealed under the guest's key.
        if !is_paid_or_over(&row, shop) {
            return Ok(());
        }
        if row.customer.is_some() {
            // Now that the read models have the order under its customer, nobody needs the guest's key.
            return shop.people.erase(&guest, shop.clock.now()).await.map_err(|error| text(&error));
        }
        // Who wants to be forgotten as a guest is not made known as a customer, and nothing is given to a
        // customer who is forgotten.
        for person in [&guest, &customer.person()] {
            if shop.people.is_erased(person).await.map_err(|error| text(&error))? {
                return Ok(());
            }
        }
        let keys = shop.people.to_open(vec![guest.clone()]).await.map_err(|error| text(&error))?;
        let email = row.email.and_then(|email| email.reveal(&keys));
        let email = email.and_then(|email| Email::parse(&email).ok());
        // A request that was refused may have linked the order with another address.
        if email.as_ref().is_some_and(|email| email.hash(&shop.keys.email_hash).as_str() != name) {
            return shop.people.unlink(&guest, name).await.map_err(|error| text(&error));
        }
        let attach = OrderCommand::Attach {
            customer,
            email,
            shipping_address: row.shipping_address.and_then(|address| address.reveal(&keys)).map(Box::new),
        };
        let request = CommandRequest::new(Order::stream(order), attach, origin(shop, self.name()));
        // Its address may have changed since the row was written: then it is read again.
        let request = CommandRequest { if_match: Some(Revision(row.revision).into()), ..request };
        shop.orders.execute(request).await.map_err(|error| text(&error))?;
        Ok(())
    }
}

/// Returns true if no call to the payment provider can need the token of an order any more: it is paid, or ended so
/// long ago that every call has ended too.
fn is_paid_or_over(row: &OrderRow, shop: &Shop) -> bool {
    match row.status {
        OrderStatus::Placed | OrderStatus::PaymentPending => false,
        OrderStatus::Cancelled | OrderStatus::TimedOut => {
            let timeout =
                SignedDuration::try_from(shop.settings.payment_timeout).unwrap_or(SignedDuration::MAX);
            shop.clock.now().duration_since(row.placed_at) > timeout.saturating_add(CALL_GRACE)
        }
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Returned => {
            true
        }
    }
}

/// A page of keys and keyed hashes.
async fn older(
    pool: &SqlitePool,
    sql: &'static str,
    after: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(sql).bind(after).bind(STEP_ROWS_MAX).fetch_all(pool).await
}
