//! Test of a part that fails while the shop runs, and recovers.

use std::time::Duration;

use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId, Position};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::embedded::Embedded;
use crate::testing::TestShop;

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(30);

async fn count(shop: &Embedded, on_hand: i64) -> Position {
    let stream = Stock::stream(&Sku::parse("A1").unwrap());
    let id = shop.ports.clock.new_id();
    let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
    let count = CommandRequest::new(stream, StockCommand::Count { on_hand }, origin);
    shop.ports.aggregates.stock.execute(count).await.unwrap().position
}

async fn wait_for_readiness(shop: &Embedded, expected: bool) {
    let readiness = shop.readiness();
    let changed = async {
        while readiness.is_ready() != expected {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let waited = tokio::time::timeout(TIMEOUT, changed).await;
    waited.unwrap_or_else(|_| panic!("ready: {}, {:?}", readiness.is_ready(), readiness.parts.remarks()));
}

// Proves: operations.readiness
#[tokio::test]
async fn failed_read_models_restart_and_the_shop_is_not_ready_meanwhile() {
    let test = TestShop::open().await;
    let shop = &test.shop;
    count(shop, 1).await;
    wait_for_readiness(shop, true).await;
    let options = SqliteConnectOptions::new().filename(shop.read_models.path());
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let table: String =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'stock_v%'")
            .fetch_one(&pool)
            .await
            .unwrap();
    let broken = format!(
        "CREATE TRIGGER broken BEFORE INSERT ON \"{table}\" BEGIN SELECT RAISE(ABORT, 'broken'); END"
    );
    sqlx::query(sqlx::AssertSqlSafe(broken)).execute(&pool).await.unwrap();
    let head = count(shop, 2).await;
    wait_for_readiness(shop, false).await;
    let remarks = shop.readiness().parts.remarks().join("; ");
    assert!(remarks.contains("read-models has failed") && remarks.contains("broken"), "{remarks}");
    assert!(!*shop.followed.following.borrow(), "queries must see that the read models are stopped");
    sqlx::query("DROP TRIGGER broken").execute(&pool).await.unwrap();
    pool.close().await;
    wait_for_readiness(shop, true).await;
    tokio::time::timeout(TIMEOUT, shop.wait_for(head)).await.expect("the read models continue");
}
