//! Tests of `POST /api/orders/lookup`.

use serde_json::json;
use souk_eventsourcing::Personal;
use souk_http_shop::{Call, Shop, draft};

use crate::users::{address, hash};

async fn lookup(shop: &Shop, code: &str, email: &str) -> (u16, serde_json::Value) {
    lookup_from(shop, code, email, "192.0.2.1").await
}

async fn lookup_from(shop: &Shop, code: &str, email: &str, client: &str) -> (u16, serde_json::Value) {
    let lookup = Call::post("/api/orders/lookup", &json!({"code": code, "email": email}));
    let response = shop.send(lookup.from(client)).await;
    (response.status, response.body)
}

// Proves: orders.guest-order
#[tokio::test]
async fn a_guest_finds_an_order_by_its_code_and_email_address() {
    let shop = Shop::open().await;
    let mut order = draft(5, None, &["A1", "B2"]);
    let person = order.order.guest();
    order.email = Some(Personal::new(person.clone(), "email", "ada@example.org".to_owned()));
    order.shipping_address = Some(Personal::new(person.clone(), "shippingAddress", address()));
    shop.append_order(order).await;
    shop.append_order(draft(6, Some("ada"), &["A1"])).await;
    shop.project().await;
    let (status, order) = lookup(&shop, " sk-0005", "Ada@Example.org").await;
    assert_eq!((status, order["lines"].as_array().unwrap().len()), (200, 2));
    assert_eq!(order["shippingAddress"]["city"], "London");
    let wrong = lookup(&shop, "SK-0005", "bob@example.org").await;
    let absent = lookup(&shop, "SK-0009", "ada@example.org").await;
    let customers = lookup(&shop, "SK-0006", "ada@example.org").await;
    for (status, problem) in [&wrong, &absent, &customers] {
        assert_eq!((*status, &problem["detail"]), (404, &json!("there is no such order")));
    }
    for _ in 0..4 {
        lookup(&shop, "SK-0009", "ada@example.org").await;
    }
    assert_eq!(lookup(&shop, "SK-0009", "ada@example.org").await.0, 429);
    assert_eq!(lookup(&shop, "SK-0005", "ada@example.org").await.0, 200);
}

#[tokio::test]
async fn wrong_guesses_of_one_client_do_not_block_the_guest_of_the_order() {
    let shop = Shop::open().await;
    let mut order = draft(5, None, &["A1"]);
    order.email = Some(Personal::new(order.order.guest(), "email", "ada@example.org".to_owned()));
    order.email_hash = Some(hash());
    shop.append_order(order).await;
    shop.project().await;
    for n in 0..5 {
        let guess = format!("guess{n}@example.org");
        assert_eq!(lookup_from(&shop, "SK-0005", &guess, "192.0.2.1").await.0, 404);
    }
    assert_eq!(lookup_from(&shop, "SK-0005", "ada@example.org", "192.0.2.1").await.0, 429);
    assert_eq!(lookup_from(&shop, "SK-0005", "ada@example.org", "198.51.100.1").await.0, 200);
}
