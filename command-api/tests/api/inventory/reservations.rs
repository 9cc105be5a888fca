//! Tests of `POST /api/inventory/reserve`, `…/release` and `…/confirm`.

use serde_json::{Value, json};
use souk_http::Role;
use souk_http_shop::Call;

use crate::inventory::{counted, post, stock};

// Proves: inventory.reserving-once
#[tokio::test]
async fn a_repeated_reservation_has_an_effect_once_for_all_callers() {
    let shop = counted(10).await;
    let reserve = json!({"orderId": "o1", "sku": "85123A", "quantity": 3});
    let first = post(&shop, "reserve", reserve.clone()).await.done(200);
    assert_eq!(first.text("id"), "o1:85123A");
    let again = shop.with_role(Role::Service, "erp", Call::post("/api/inventory/reserve", &reserve)).await;
    assert_eq!(again.done(200).body, first.body);
    assert_eq!(stock(&shop).await, (10, 3));
    let other = json!({"orderId": "o1", "sku": "85123A", "quantity": 4});
    post(&shop, "reserve", other).await.refused(409, "reservation-exists");
    let more = json!({"orderId": "o2", "sku": "85123A", "quantity": 8});
    post(&shop, "reserve", more).await.refused(409, "insufficient-stock");
    let confirm = json!({"orderId": "o1", "sku": "85123A"});
    post(&shop, "confirm", confirm.clone()).await.done(200);
    post(&shop, "confirm", confirm.clone()).await.done(200);
    post(&shop, "release", confirm).await.refused(409, "reservation-not-open");
    assert_eq!(stock(&shop).await, (7, 0));
}

#[tokio::test]
async fn an_order_can_reserve_units_again_after_its_reservation_was_closed() {
    let shop = counted(10).await;
    let of = json!({"orderId": "o1", "sku": "85123A"});
    let reserve = json!({"orderId": "o1", "sku": "85123A", "quantity": 3, "expiresInSeconds": 60});
    for round in 0..3 {
        for _ in 0..2 {
            post(&shop, "reserve", reserve.clone()).await.done(200);
            assert_eq!(stock(&shop).await, (10, 3), "round {round}");
        }
        post(&shop, "release", of.clone()).await.done(200);
        assert_eq!(stock(&shop).await, (10, 0), "round {round}");
    }
    for left in [7, 4] {
        post(&shop, "reserve", reserve.clone()).await.done(200);
        post(&shop, "confirm", of.clone()).await.done(200);
        assert_eq!(stock(&shop).await, (left, 0));
    }
    // Expired units are reserved again, as the problem `reservation-expired` advises.
    post(&shop, "reserve", reserve.clone()).await.done(200);
    shop.pass(60);
    post(&shop, "confirm", of.clone()).await.refused(409, "reservation-expired");
    post(&shop, "reserve", reserve).await.done(200);
    assert_eq!(stock(&shop).await, (4, 3));
    post(&shop, "confirm", of).await.done(200);
    assert_eq!(stock(&shop).await, (1, 0));
}

#[tokio::test]
async fn a_repeat_with_a_key_gets_the_first_response_and_has_no_effect() {
    let shop = counted(10).await;
    let units = json!({"orderId": "o1", "sku": "85123A", "quantity": 3});
    let of = json!({"orderId": "o1", "sku": "85123A"});
    let send = async |what: &str, body: &Value, key: &str| {
        shop.admin(Call::post(&format!("/api/inventory/{what}"), body).key(key)).await.done(200).body
    };
    let reserved = send("reserve", &units, "reserve-1").await;
    let released = send("release", &of, "release-1").await;
    assert_eq!(send("reserve", &units, "reserve-1").await, reserved);
    assert_eq!(stock(&shop).await, (10, 0));
    send("reserve", &units, "reserve-2").await;
    assert_eq!(send("release", &of, "release-1").await, released);
    assert_eq!(stock(&shop).await, (10, 3));
    let confirmed = send("confirm", &of, "confirm-2").await;
    send("reserve", &units, "reserve-3").await;
    assert_eq!(send("confirm", &of, "confirm-2").await, confirmed);
    assert_eq!(stock(&shop).await, (7, 3));
}

#[tokio::test]
async fn a_key_belongs_to_the_route_the_sku_and_the_order() {
    let shop = counted(10).await;
    let units = |order: &str, quantity: u32| json!({"orderId": order, "sku": "85123A", "quantity": quantity});
    let of = |order: &str| json!({"orderId": order, "sku": "85123A"});
    let keyed = async |what: &str, body: Value| {
        shop.admin(Call::post(&format!("/api/inventory/{what}"), &body).key("k")).await
    };
    for order in ["o1", "o2"] {
        keyed("reserve", units(order, 3)).await.done(200);
    }
    assert_eq!(stock(&shop).await, (10, 6));
    keyed("reserve", units("o1", 4)).await.refused(422, "idempotency-key-reused");
    keyed("release", of("o1")).await.done(200);
    assert_eq!(stock(&shop).await, (10, 3));
    keyed("confirm", of("o2")).await.done(200);
    assert_eq!(stock(&shop).await, (7, 0));
}

// Proves: inventory.releasing
#[tokio::test]
async fn a_released_reservation_holds_no_units_and_an_expired_one_cannot_be_confirmed() {
    let shop = counted(10).await;
    let reserve =
        |order: &str| json!({"orderId": order, "sku": "85123A", "quantity": 3, "expiresInSeconds": 60});
    post(&shop, "reserve", reserve("o1")).await.done(200);
    post(&shop, "release", json!({"orderId": "o1", "sku": "85123A"})).await.done(200);
    assert_eq!(stock(&shop).await, (10, 0));
    post(&shop, "reserve", reserve("o2")).await.done(200);
    shop.pass(60);
    post(&shop, "confirm", json!({"orderId": "o2", "sku": "85123A"}))
        .await
        .refused(409, "reservation-expired");
    for seconds in [0, 86_401] {
        let wrong = json!({"orderId": "o3", "sku": "85123A", "quantity": 3, "expiresInSeconds": seconds});
        post(&shop, "reserve", wrong)
            .await
            .refused(422, "validation-failed")
            .at("/expiresInSeconds", "out-of-range");
    }
    post(&shop, "reserve", json!({"orderId": "a:b", "sku": "85123A", "quantity": 1}))
        .await
        .refused(422, "validation-failed")
        .at("/orderId", "invalid-id");
    post(&shop, "reserve", json!({"orderId": "o4", "sku": "85123A", "quantity": 0}))
        .await
        .refused(422, "validation-failed");
}
