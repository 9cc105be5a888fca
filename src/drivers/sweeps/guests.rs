//! Sweep that attaches guest orders to customers: reads the links between guest orders and e-mail addresses from
//! the index of people, and the orders and users from the read models.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_domain::{CustomerId, OrderId};
use souk_eventsourcing::personal::NameLink;
use souk_eventsourcing::{KeysUnavailable, Position, Revision};
use souk_http::Keys;
use souk_process_managers::ShopPorts;
use souk_process_managers::sweeps::SweepError;
use souk_process_managers::sweeps::guests::{
    GuestSettings, LinkedOrder, LinkedTo, NAME, attach, link, link_older,
};
use souk_projections::orders::OrderRow;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Sweep, SweepContext};

/// Maximum number of links that one step handles.
const LINKS_MAX: usize = 500;

/// State of the sweep. Each step handles the next links between guest orders and e-mail addresses that have
/// an account.
pub(super) struct UnattachedOrders {
    /// Lock of the sweeps that change people, see [`SweepContext::people_lock`].
    pub(super) people_lock: Arc<tokio::sync::Mutex<()>>,
    /// Position of the read models.
    pub(super) reached: watch::Receiver<Position>,
    /// Key of the hashes of e-mail addresses, among the keys of the shop.
    pub(super) shop_keys: Arc<Keys>,
    /// Time that an order waits for its payment.
    pub(super) payment_timeout: Duration,
    /// True if the read models are built.
    pub(super) built: watch::Receiver<bool>,
    /// End of the log when the shop was started.
    pub(super) head_at_start: Position,
    /// Last link of the previous step. `None` at the beginning of a pass.
    pub(super) after: Option<NameLink>,
    /// Place after which the next step links orders. `None` before the first step.
    pub(super) linked_to: Option<LinkedTo>,
    /// Last guest order of an older log that was added to the index. `None` after all were added.
    pub(super) orders_added: Option<String>,
    /// Latest time, in microseconds, at which a user of an older log who was added to the index proved the
    /// address.
    pub(super) users_added: i64,
}

impl UnattachedOrders {
    /// Creates a sweep that has handled nothing yet.
    pub(super) fn new(context: &SweepContext) -> Self {
        let SweepContext { reached, built, head_at_start, people_lock, shop_keys, payment_timeout, .. } =
            context.clone();
        Self {
            people_lock,
            shop_keys,
            payment_timeout,
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
        NAME
    }

    fn exclusive_lock(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(Arc::clone(&self.people_lock))
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
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
        for NameLink { name, alias, person } in &found {
            let order = person.parts().1;
            let statement = sqlx::query_as(include_str!("guests.sql")).bind(alias).bind(order);
            let owned: Option<(Vec<u8>, String)> = statement.fetch_optional(pool).await?;
            let Some((row, user)) = owned else { continue };
            if let Err(error) = attach_row(ports, order, name, &row, &user, self.settings()).await {
                let error = error.as_str();
                tracing::warn!(order, error, "a guest order could not be attached; the sweep will try again");
            }
        }
        self.after = if found.len() < LINKS_MAX { None } else { found.last().cloned() };
        Ok(())
    }
}

impl UnattachedOrders {
    fn settings(&self) -> GuestSettings<'_> {
        let payment_timeout = SignedDuration::try_from(self.payment_timeout).unwrap_or(SignedDuration::MAX);
        GuestSettings { email_hash_key: &self.shop_keys.email_hash, payment_timeout }
    }

    /// Adds the keyed hashes of e-mail addresses in older logs to the index: of guest orders, and of users
    /// with a verified address. Such a hash is used as its own alias.
    async fn add_older(
        &mut self,
        pool: &SqlitePool,
        ports: &ShopPorts,
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
            let parsed = |(order, hash): &(String, String)| Some((OrderId::parse(order).ok()?, hash.clone()));
            if let Err(error) = link_older(ports, orders.iter().filter_map(parsed)).await {
                return Ok(Err(error));
            }
            self.orders_added = orders.last().map(|(order, _)| order.clone());
        }
        Ok(Ok(()))
    }

    /// Links new guest orders with their e-mail addresses.
    async fn link_new(
        &mut self,
        pool: &SqlitePool,
        ports: &ShopPorts,
    ) -> Result<Result<(), KeysUnavailable>, sqlx::Error> {
        if self.linked_to.is_none() {
            let newest = sqlx::query_scalar("SELECT max(placed_at) FROM orders").fetch_one(pool).await?;
            self.linked_to = Some(LinkedTo::at_start(newest));
        }
        let Some(LinkedTo { placed_at_us, order }) = &self.linked_to else { return Ok(Ok(())) };
        let found = sqlx::query_as::<_, (i64, String, Vec<u8>)>(include_str!("new_orders.sql"));
        let found = found.bind(placed_at_us).bind(order).bind(STEP_ROWS_MAX).fetch_all(pool).await?;
        let mut emails = Vec::new();
        for (_, _, doc) in &found {
            let row: OrderRow =
                serde_json::from_slice(doc).map_err(|error| sqlx::Error::Decode(error.into()))?;
            emails.extend(row.guest_email().cloned());
        }
        if let Err(error) = link(ports, emails, self.settings()).await {
            return Ok(Err(error));
        }
        if let Some((placed_at_us, order, _)) = found.last() {
            let is_whole_page = i64::try_from(found.len()).is_ok_and(|rows| rows == STEP_ROWS_MAX);
            let last = LinkedTo { placed_at_us: *placed_at_us, order: order.clone() };
            self.linked_to = Some(LinkedTo::after_page(last, is_whole_page));
        }
        Ok(Ok(()))
    }
}

/// Attaches the order of a row to a user. `hash` is the keyed hash with which the order is linked.
async fn attach_row(
    ports: &ShopPorts,
    order: &str,
    hash: &str,
    document: &[u8],
    user: &str,
    settings: GuestSettings<'_>,
) -> Result<(), SweepError> {
    let order = OrderId::parse(order)?;
    let row: OrderRow = serde_json::from_slice(document)?;
    let customer = CustomerId::parse(user)?;
    let linked = LinkedOrder {
        order,
        revision: Revision(row.revision),
        status: row.status,
        placed_at: row.placed_at,
        customer: row.customer,
        email: row.email,
        shipping_address: row.shipping_address,
        linked_hash: hash.to_owned(),
    };
    attach(ports, linked, customer, settings).await
}

/// Reads one page of keys and keyed hashes.
async fn older(
    pool: &SqlitePool,
    sql: &'static str,
    after: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(sql).bind(after).bind(STEP_ROWS_MAX).fetch_all(pool).await
}
