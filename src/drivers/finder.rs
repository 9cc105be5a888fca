//! Lookup of orders, payments and debts in the read models, for the crate `command-api`, the health checks
//! and the metrics.

use std::path::Path;

use async_trait::async_trait;
use souk_command_api::{GuestOrder, OrderFinder, OrderOwner};
use souk_domain::{CartId, CustomerId, DebtId, OrderId, PaymentId};
use souk_http::Problem;
use souk_projections::orders::GuestOfOrder;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

/// Maximum number of open database connections.
const CONNECTIONS_MAX: u32 = 2;
/// Maximum number of orders returned for one code. A code has 40 bits of a hash, so two orders rarely have
/// the same code.
const SAME_CODE_MAX: i64 = 10;

/// Finder that queries the read models.
pub struct ReadModelFinder {
    pool: SqlitePool,
}

impl ReadModelFinder {
    /// Creates a finder for the database file of the read models.
    pub fn new(read_models: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(read_models).read_only(true);
        Self { pool: SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_lazy_with(options) }
    }
}

#[async_trait]
impl OrderFinder for ReadModelFinder {
    async fn by_code(&self, code: &str) -> Result<Vec<GuestOrder>, Problem> {
        let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("finder/by_code.sql"));
        let statement = statement.bind(code).bind(SAME_CODE_MAX);
        let found = statement.fetch_all(&self.pool).await.map_err(|error| Problem::internal(&error))?;
        let mut orders = Vec::with_capacity(found.len());
        for (key, doc) in found {
            // Nobody knows the e-mail address of an erased order, or of one that can't be parsed.
            let email = GuestOfOrder::parse(&doc).and_then(GuestOfOrder::email);
            let order = OrderId::parse(&key).map_err(|error| Problem::internal(&error))?;
            orders.push(GuestOrder { order, email });
        }
        Ok(orders)
    }

    async fn owner_of(&self, order: OrderId) -> Result<Option<OrderOwner>, Problem> {
        let statement =
            sqlx::query_as::<_, (Option<String>, Option<String>)>(include_str!("finder/owner_of.sql"));
        let found = statement.bind(order.to_string()).fetch_optional(&self.pool).await;
        let Some((customer, cart)) = found.map_err(|error| Problem::internal(&error))? else {
            return Ok(None);
        };
        let customer = customer.map(|customer| CustomerId::parse(&customer)).transpose();
        let customer = customer.map_err(|error| Problem::internal(&error))?;
        Ok(Some(OrderOwner { customer, cart: cart.and_then(|cart| CartId::parse(&cart).ok()) }))
    }

    async fn has_orders(&self, customer: &CustomerId) -> Result<bool, Problem> {
        let statement = sqlx::query_scalar(include_str!("finder/has_orders.sql")).bind(customer.as_str());
        statement.fetch_one(&self.pool).await.map_err(|error| Problem::internal(&error))
    }

    async fn open_debts(&self) -> Result<i64, Problem> {
        let statement = sqlx::query_scalar("SELECT count(*) FROM payment_debts WHERE failed_at IS NOT NULL");
        statement.fetch_one(&self.pool).await.map_err(|error| Problem::internal(&error))
    }

    async fn payment_of(&self, debt: DebtId) -> Result<Option<PaymentId>, Problem> {
        let statement =
            sqlx::query_scalar::<_, String>("SELECT payment_id FROM payment_debts WHERE key = $1");
        let found = statement.bind(debt.to_string()).fetch_optional(&self.pool).await;
        let payment = found.map_err(|error| Problem::internal(&error))?;
        Ok(payment.and_then(|payment| PaymentId::parse(&payment).ok()))
    }
}
