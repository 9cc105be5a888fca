//! Guests' orders whose e-mail address turns out to be somebody's become theirs: what was under the order's
//! key is sealed under theirs, and the order's key is destroyed.

use async_trait::async_trait;
use souk_command_api::Shop;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::{CustomerId, Email, OrderId};
use souk_eventsourcing::CommandRequest;
use souk_projections::orders::OrderRow;
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep, origin};

pub(super) struct Unattached;

#[async_trait]
impl Sweep for Unattached {
    fn name(&self) -> &'static str {
        "guest-order-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let found: Vec<(String, Vec<u8>, String)> =
            sqlx::query_as(include_str!("guests.sql")).bind(STEP_ROWS_MAX).fetch_all(pool).await?;
        for (order, row, user) in found {
            if let Err(error) = self.attach(shop, &order, &row, &user).await {
                tracing::warn!(order, error, "a guest's order is not attached; the next sweep tries again");
            }
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
        // Who wants to be forgotten as a guest is not made known as a customer.
        if shop.people.is_erased(&guest).await.map_err(|error| text(&error))? {
            return Ok(());
        }
        let keys = shop.people.to_open(vec![guest.clone()]).await.map_err(|error| text(&error))?;
        let email = row.email.and_then(|email| email.reveal(&keys));
        let attach = OrderCommand::Attach {
            customer,
            email: email.and_then(|email| Email::parse(&email).ok()),
            shipping_address: row.shipping_address.and_then(|address| address.reveal(&keys)).map(Box::new),
        };
        let request = CommandRequest::new(Order::stream(order), attach, origin(shop, self.name()));
        shop.orders.execute(request).await.map_err(|error| text(&error))?;
        shop.people.erase(&guest, shop.clock.now()).await.map_err(|error| text(&error))
    }
}
