//! Sweeps: bounded steps over a read model, repeated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, Clock, CommandPort, CommandRequest, CorrelationId};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::sync::watch;

/// How often overdue reservations are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(5);
/// SKUs dealt with in one step.
const STEP_SKUS_MAX: i64 = 500;

/// Expires reservations that nobody confirmed in time. The stock's decider judges; this only asks.
pub async fn expire_reservations(
    read_models: PathBuf,
    stock: Arc<dyn CommandPort<Stock>>,
    clock: Arc<dyn Clock>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(read_models).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
    let mut ticks = tokio::time::interval(EXPIRY_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        expire_due(&pool, &*stock, &*clock).await?;
    }
}

async fn expire_due(
    pool: &SqlitePool,
    stock: &dyn CommandPort<Stock>,
    clock: &dyn Clock,
) -> Result<(), sqlx::Error> {
    for sku in overdue_skus(pool, clock.now()).await? {
        let Ok(sku) = Sku::parse(&sku) else { continue };
        let id = clock.new_id();
        let origin = Origin::new(id, Actor::new("process", "expiry-sweep"), CorrelationId::from(id));
        let request = CommandRequest::new(Stock::stream(&sku), StockCommand::ExpireDue, origin);
        if let Err(error) = stock.execute(request).await {
            tracing::warn!(%sku, %error, "overdue reservations were not expired; the next sweep tries again");
        }
    }
    Ok(())
}

async fn overdue_skus(pool: &SqlitePool, now: Timestamp) -> Result<Vec<String>, sqlx::Error> {
    let sql = include_str!("overdue_skus.sql");
    sqlx::query_scalar(sql).bind(now.as_microsecond()).bind(STEP_SKUS_MAX).fetch_all(pool).await
}
