//! Tests of `POST /api/inventory/stock`, and of the access to all writes of stock.

use serde_json::json;
use souk_http_shop::Call;

use crate::inventory::{counted, post, stock};

// Proves: inventory.counting
#[tokio::test]
async fn stock_is_counted_or_changed_with_a_reason() {
    let shop = counted(0).await;
    let response =
        post(&shop, "stock", json!({"sku": "85123A", "change": 5, "reason": "delivery"})).await.done(200);
    assert_eq!((response.text("id").as_str(), &response.body["revision"]), ("85123A", &json!(1)));
    assert_eq!(stock(&shop).await, (5, 0));
    for wrong in [
        json!({"sku": "85123A"}),
        json!({"sku": "85123A", "onHand": 1, "change": 1}),
        json!({"sku": "85123A", "change": 1}),
        json!({"sku": "a:b", "onHand": 1}),
    ] {
        post(&shop, "stock", wrong).await.refused(422, "validation-failed");
    }
    for absurd in [
        json!({"sku": "85123A", "onHand": -1}),
        json!({"sku": "85123A", "onHand": 1_000_000_000_000_000_000_i64}),
    ] {
        post(&shop, "stock", absurd).await.refused(422, "validation-failed");
    }
    post(&shop, "stock", json!({"sku": "85123A", "change": i64::MIN, "reason": "x"}))
        .await
        .refused(409, "stock-below-reserved");
    assert_eq!(stock(&shop).await, (5, 0));
}

// Proves: inventory.stock-writers
#[tokio::test]
async fn customers_and_guests_cannot_change_stock() {
    let shop = counted(10).await;
    for what in ["stock", "reserve", "release", "confirm"] {
        let call = || {
            Call::post(
                &format!("/api/inventory/{what}"),
                &json!({"orderId": "o", "sku": "85123A", "quantity": 1}),
            )
        };
        let call = || {
            if what == "stock" {
                Call::post("/api/inventory/stock", &json!({"sku": "85123A", "onHand": 1}))
            } else if what == "reserve" {
                call()
            } else {
                Call::post(&format!("/api/inventory/{what}"), &json!({"orderId": "o", "sku": "85123A"}))
            }
        };
        shop.send(call()).await.refused(401, "unauthenticated");
        shop.customer("ada", call()).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn a_repeated_stock_change_with_a_key_has_one_effect() {
    let shop = counted(10).await;
    let add = || {
        Call::post("/api/inventory/stock", &json!({"sku": "85123A", "change": 5, "reason": "delivery"}))
            .key("k")
    };
    let first = shop.admin(add()).await.done(200);
    assert_eq!(shop.admin(add()).await.done(200).body, first.body);
    let count = || Call::post("/api/inventory/stock", &json!({"sku": "85123A", "onHand": 15})).key("c");
    shop.admin(count()).await.done(200);
    post(&shop, "stock", json!({"sku": "85123A", "onHand": 3})).await.done(200);
    shop.admin(count()).await.done(200);
    assert_eq!(stock(&shop).await, (3, 0));
}
