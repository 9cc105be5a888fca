//! Tests of `/api/inventory/stock`.

use serde_json::json;
use souk_domain::OrderRef;
use souk_domain::stock::event::Reserved;
use souk_domain::stock::{Stock, StockEvent};
use souk_http::Role;
use souk_http_shop::{Call, Shop, content, fields, later, sku};

// Proves: inventory.stock-reads
#[tokio::test]
async fn stock_shows_units_on_hand_reserved_and_available() {
    let shop = Shop::open().await;
    shop.append_count("A 1", 10).await;
    let order = OrderRef::parse("o1").unwrap();
    let reserved = StockEvent::from(Reserved { order, quantity: 3, expires_at: later(15) });
    shop.append(&Stock::stream(&sku("A 1")), reserved).await;
    shop.project().await;
    let response = shop.send(Call::get("/api/inventory/stock/A%201")).await;
    let expected =
        json!({"sku": "A 1", "onHand": 10, "reserved": 3, "available": 7, "revision": 1, "position": "2"});
    assert_eq!(response.body, expected);
    assert_eq!(response.headers["etag"], "\"1\"");
}

// Proves: inventory.stock-reads
#[tokio::test]
async fn a_sku_without_a_stock_entry_is_shown_with_zeros() {
    let shop = Shop::open().await;
    shop.append_product(1, content("Lamp", "", &[("A1", 255)])).await;
    shop.project().await;
    let response = shop.send(Call::get("/api/inventory/stock/A1")).await;
    let expected =
        json!({"sku": "A1", "onHand": 0, "reserved": 0, "available": 0, "revision": 0, "position": "1"});
    assert_eq!(response.body, expected);
    assert!(!response.headers.contains_key("etag"));
    shop.send(Call::get("/api/inventory/stock/B2")).await.refused(404, "not-found");
}

// Proves: inventory.stock-writers
#[tokio::test]
async fn only_admins_and_services_can_list_stock() {
    let shop = Shop::open().await;
    shop.send(Call::get("/api/inventory/stock")).await.refused(401, "unauthenticated");
    shop.customer("ada", Call::get("/api/inventory/stock")).await.refused(403, "forbidden");
    for role in [Role::Admin, Role::Service] {
        assert_eq!(shop.with_role(role, "ops", Call::get("/api/inventory/stock")).await.status, 200);
    }
}

#[tokio::test]
async fn pages_of_stock_contain_each_sku_once_even_if_their_times_are_equal() {
    let shop = Shop::open().await;
    for text in ["A", "B", "C", "D", "E", "F", "G"] {
        shop.append_count(text, 1).await;
    }
    shop.project().await;
    let items = shop.pages("/api/inventory/stock", Role::Service).await;
    assert_eq!(fields(&items, "sku"), ["G", "F", "E", "D", "C", "B", "A"]);
}
