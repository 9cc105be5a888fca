use serde_json::json;
use souk_domain::OrderRef;
use souk_domain::stock::event::Reserved;
use souk_domain::stock::{Stock, StockEvent};
use souk_http::Role;

use crate::shop::{Shop, content, fields, later, sku};

#[tokio::test]
async fn stock_shows_units_on_hand_reserved_and_available() {
    let mut shop = Shop::open().await;
    shop.count_stock("A 1", 10).await;
    let order = OrderRef::parse("o1").unwrap();
    let reserved = StockEvent::from(Reserved { order, quantity: 3, expires_at: later(15) });
    shop.append_event(&Stock::stream(&sku("A 1")), reserved).await;
    shop.project().await;
    let response = shop.get("/api/inventory/stock/A%201").send().await;
    let expected =
        json!({"sku": "A 1", "onHand": 10, "reserved": 3, "available": 7, "revision": 1, "position": "2"});
    assert_eq!(response.json, expected);
    assert_eq!(response.headers["etag"], "\"1\"");
}

#[tokio::test]
async fn a_sku_without_a_stock_entry_is_shown_with_zeros() {
    let mut shop = Shop::open().await;
    shop.create_product(1, content("Lamp", "", &[("A1", 255)])).await;
    shop.project().await;
    let response = shop.get("/api/inventory/stock/A1").send().await;
    let expected =
        json!({"sku": "A1", "onHand": 0, "reserved": 0, "available": 0, "revision": 0, "position": "1"});
    assert_eq!(response.json, expected);
    assert!(!response.headers.contains_key("etag"));
    shop.get("/api/inventory/stock/B2").send().await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn only_admins_and_services_can_list_stock() {
    let shop = Shop::open().await;
    shop.get("/api/inventory/stock").send().await.assert_problem(401, "unauthenticated");
    shop.get("/api/inventory/stock")
        .token(Role::Customer, "ada")
        .send()
        .await
        .assert_problem(403, "forbidden");
    for role in [Role::Admin, Role::Service] {
        assert_eq!(shop.get("/api/inventory/stock").token(role, "ops").send().await.status, 200);
    }
}

#[tokio::test]
async fn pages_of_stock_contain_each_sku_once_even_if_their_times_are_equal() {
    let mut shop = Shop::open().await;
    for text in ["A", "B", "C", "D", "E", "F", "G"] {
        shop.count_stock(text, 1).await;
    }
    shop.project().await;
    let items = shop.pages("/api/inventory/stock", Role::Service).await;
    assert_eq!(fields(&items, "sku"), ["G", "F", "E", "D", "C", "B", "A"]);
}
