use serde_json::json;
use souk_domain::OrderRef;
use souk_domain::stock::event::Reserved;
use souk_domain::stock::{Stock, StockEvent};
use souk_http::Role;

use crate::shop::{Shop, content, fields, later, sku};

#[tokio::test]
async fn stock_says_what_is_on_hand_held_and_available() {
    let mut shop = Shop::open().await;
    shop.counts("A 1", 10).await;
    let order = OrderRef::parse("o1").unwrap();
    let reserved = StockEvent::from(Reserved { order, quantity: 3, expires_at: later(15) });
    shop.happens(&Stock::stream(&sku("A 1")), reserved).await;
    shop.project().await;
    let answer = shop.get("/api/inventory/stock/A%201").send().await;
    let expected =
        json!({"sku": "A 1", "onHand": 10, "reserved": 3, "available": 7, "revision": 1, "position": "2"});
    assert_eq!(answer.json, expected);
    assert_eq!(answer.headers["etag"], "\"1\"");
}

#[tokio::test]
async fn a_known_sku_that_was_never_counted_reads_as_zeros() {
    let mut shop = Shop::open().await;
    shop.creates(1, content("Lamp", "", &[("A1", 255)])).await;
    shop.project().await;
    let answer = shop.get("/api/inventory/stock/A1").send().await;
    let expected =
        json!({"sku": "A1", "onHand": 0, "reserved": 0, "available": 0, "revision": 0, "position": "1"});
    assert_eq!(answer.json, expected);
    assert!(!answer.headers.contains_key("etag"));
    shop.get("/api/inventory/stock/B2").send().await.refused(404, "not-found");
}

#[tokio::test]
async fn the_list_of_stock_is_for_admins_and_services() {
    let shop = Shop::open().await;
    shop.get("/api/inventory/stock").send().await.refused(401, "unauthenticated");
    shop.get("/api/inventory/stock").token(Role::Customer, "ada").send().await.refused(403, "forbidden");
    for role in [Role::Admin, Role::Service] {
        assert_eq!(shop.get("/api/inventory/stock").token(role, "ops").send().await.status, 200);
    }
}

#[tokio::test]
async fn pages_of_stock_hold_every_sku_once_even_of_one_instant() {
    let mut shop = Shop::open().await;
    for text in ["A", "B", "C", "D", "E", "F", "G"] {
        shop.counts(text, 1).await;
    }
    shop.project().await;
    let pages = shop.pages("/api/inventory/stock", Role::Service).await;
    assert_eq!(fields(&pages, "sku"), ["G", "F", "E", "D", "C", "B", "A"]);
}
