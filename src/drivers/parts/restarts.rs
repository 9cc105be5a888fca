//! A part that fails while the shop runs, and comes back.

use std::time::Duration;

use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId, Position};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::embedded::Embedded;
use crate::testing::TestShop;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The longest wait for something to come about.
const WAIT_MAX: Duration = Duration::from_secs(30);

async fn count(shop: &Embedded, on_hand: i64) -> Position {
    let (stream, id) = (Stock::stream(&Sku::parse("A1").unwrap()), shop.shop.clock.new_id());
    let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
    let count = CommandRequest::new(stream, StockCommand::Count { on_hand }, origin);
    shop.shop.stock.execute(count).await.unwrap().position
}

async fn until_ready(shop: &Embedded, wanted: bool) {
    let readiness = shop.readiness();
    let comes_about = async {
        while readiness.is_given() != wanted {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(WAIT_MAX, comes_about).await;
    waited.unwrap_or_else(|_| panic!("ready: {}, {:?}", readiness.is_given(), readiness.parts.remarks()));
}

#[tokio::test]
async fn read_models_that_fail_are_started_again_and_the_shop_is_not_ready_meanwhile() {
    let test = TestShop::open().await;
    let shop = &test.shop;
    count(shop, 1).await;
    until_ready(shop, true).await;
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
    until_ready(shop, false).await;
    let remarks = shop.readiness().parts.remarks().join("; ");
    assert!(remarks.contains("read-models has failed") && remarks.contains("broken"), "{remarks}");
    assert!(!*shop.followed.following.borrow(), "queries say that the read models are stopped");
    sqlx::query("DROP TRIGGER broken").execute(&pool).await.unwrap();
    pool.close().await;
    until_ready(shop, true).await;
    tokio::time::timeout(WAIT_MAX, shop.wait_for(head)).await.expect("the read models go on");
}
