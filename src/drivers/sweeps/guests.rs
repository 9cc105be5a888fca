//! Guests' orders whose e-mail address turns out to be somebody's become theirs: what was under the order's
//! key is sealed under theirs, and the order's key is destroyed.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Shop;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::{CustomerId, Email, OrderId};
use souk_eventsourcing::{CommandRequest, Position, Revision};
use souk_projections::orders::OrderRow;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Standing, Sweep, origin};

/// How far back a step looks behind the one before: by how much clocks of those who write may differ.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// The first step looks at everything, the next ones at what came since.
pub(super) struct Unattached {
    /// See [`Standing::people`].
    pub(super) people: Arc<tokio::sync::Mutex<()>>,
    /// How far the read models are.
    pub(super) reached: watch::Receiver<Position>,
    /// Whether they are built.
    pub(super) built: watch::Receiver<bool>,
    /// Where the log ends.
    pub(super) head: watch::Receiver<Position>,
    /// What came before was looked at.
    pub(super) since: Timestamp,
}

impl Unattached {
    /// A sweep that has looked at nothing yet.
    pub(super) fn new(standing: &Standing) -> Self {
        let Standing { reached, built, head, people, .. } = standing.clone();
        Self { people, reached, built, head, since: Timestamp::UNIX_EPOCH }
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
        let (began, head) = (shop.clock.now(), *self.head.borrow());
        let is_up_to_date = *self.built.borrow() && *self.reached.borrow() >= head;
        let statement = sqlx::query_as(include_str!("guests.sql")).bind(self.since.as_microsecond());
        let found: Vec<(String, Vec<u8>, String)> = statement.bind(STEP_ROWS_MAX).fetch_all(pool).await?;
        let mut is_done = is_up_to_date && found.len() < usize::try_from(STEP_ROWS_MAX).unwrap_or(0);
        for (order, row, user) in found {
            if let Err(error) = self.attach(shop, &order, &row, &user).await {
                is_done = false;
                tracing::warn!(order, error, "a guest's order is not attached; the next sweep tries again");
            }
        }
        if is_done {
            self.since = self.since.max(began - OVERLAP);
        }
        Ok(())
    }
}

impl Unattached {
    async fn attach(&self, shop: &Shop, order: &str, row: &[u8], user: &str) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let order = order.parse().map(OrderId).map_err(|error: uuid::Error| text(&error))?;
        let row: OrderRow = serde_json::from_slice(row).map_err(|error| text(&error))?;
        let customer = CustomerId::parse(user).map_err(|error| text(&error))?;
        let guest = order.guest();
        // Who wants to be forgotten as a guest is not made known as a customer, and nothing is given to a
        // customer who is forgotten.
        for person in [&guest, &customer.person()] {
            if shop.people.is_erased(person).await.map_err(|error| text(&error))? {
                return Ok(());
            }
        }
        let keys = shop.people.to_open(vec![guest.clone()]).await.map_err(|error| text(&error))?;
        let email = row.email.and_then(|email| email.reveal(&keys));
        let attach = OrderCommand::Attach {
            customer,
            email: email.and_then(|email| Email::parse(&email).ok()),
            shipping_address: row.shipping_address.and_then(|address| address.reveal(&keys)).map(Box::new),
        };
        let request = CommandRequest::new(Order::stream(order), attach, origin(shop, self.name()));
        // Its address may have changed since the row was written: then it is read again.
        let request = CommandRequest { if_match: Some(Revision(row.revision)), ..request };
        shop.orders.execute(request).await.map_err(|error| text(&error))?;
        shop.people.erase(&guest, shop.clock.now()).await.map_err(|error| text(&error))
    }
}
