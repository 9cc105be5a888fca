//! A finder of orders that needs no read model.

use std::sync::Arc;

use async_trait::async_trait;
use souk_command_api::{GuestOrder, OrderFinder, OrderOwner};
use souk_domain::order::draft::order_code;
use souk_domain::order::event::{Draft, Placed};
use souk_domain::order::{Order, OrderEvent};
use souk_domain::{CustomerId, DebtId, OrderId, PaymentId};
use souk_eventsourcing::Decider;
use souk_http::Problem;
use souk_sqlite_log::SqliteLog;

use crate::log::{all_events, events_of};

/// Finds orders by scanning the log.
pub(crate) struct LogOrderFinder(pub(crate) Arc<SqliteLog>);

impl LogOrderFinder {
    /// Returns the drafts of all placed orders.
    async fn drafts(&self) -> Vec<Draft> {
        let events = all_events(&self.0).await.into_iter();
        let orders = events.filter(|event| event.stream.category() == Order::CATEGORY);
        orders.filter_map(|event| draft_of(event.decode().unwrap())).collect()
    }
}

fn draft_of(event: OrderEvent) -> Option<Draft> {
    match event {
        OrderEvent::Placed(Placed { draft }) => Some(draft),
        _ => None,
    }
}

#[async_trait]
impl OrderFinder for LogOrderFinder {
    async fn by_code(&self, code: &str) -> Result<Vec<GuestOrder>, Problem> {
        let drafts = self.drafts().await.into_iter();
        let guests = drafts.filter(|draft| order_code(draft.order) == code && draft.customer.is_none());
        Ok(guests.map(|draft| GuestOrder { order: draft.order, email: draft.email }).collect())
    }

    async fn owner_of(&self, order: OrderId) -> Result<Option<OrderOwner>, Problem> {
        let events = events_of(&self.0, &Order::stream(order)).await;
        let draft = events.first().and_then(|event| draft_of(event.decode().unwrap()));
        Ok(draft.map(|draft| OrderOwner { customer: draft.customer, cart: draft.cart }))
    }

    async fn has_orders(&self, customer: &CustomerId) -> Result<bool, Problem> {
        Ok(self.drafts().await.iter().any(|draft| draft.customer.as_ref() == Some(customer)))
    }

    async fn open_debts(&self) -> Result<i64, Problem> {
        Ok(0)
    }

    async fn payment_of(&self, debt: DebtId) -> Result<Option<PaymentId>, Problem> {
        let debt = debt.to_string();
        let events = all_events(&self.0).await;
        let names_debt = events.iter().find(|event| {
            event.stream.category() == "payment" && String::from_utf8_lossy(&event.event.data).contains(&debt)
        });
        Ok(names_debt.map(|event| PaymentId(event.stream.id().parse().unwrap())))
    }
}
