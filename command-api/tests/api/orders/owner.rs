//! Access to an order: other customers get the response for an unknown order, and none of its events is read.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::orders::confirmed;

// Proves: common.hidden-resources
#[tokio::test]
async fn another_customers_order_is_not_found() {
    let shop = Shop::stocked().await;
    let id = confirmed(&shop).await;
    let cancel = || Call::post(&format!("/api/orders/{id}/cancel"), &json!({"reason": "no more"}));
    shop.customer("bob", cancel()).await.refused(404, "not-found");
    shop.send(cancel()).await.refused(401, "unauthenticated");
    let nothing = "/api/orders/0199c2aa-bbcc-7000-8000-00000000ffff/cancel";
    shop.customer("ada", Call::post(nothing, &json!({}))).await.refused(404, "not-found");
    shop.customer("ada", Call::post("/api/orders/x/cancel", &json!({}))).await.refused(404, "not-found");
    shop.customer("bob", Call::post("/api/payments/intents", &json!({"orderId": id, "token": "tok_ok"})))
        .await
        .refused(404, "not-found");
    assert_eq!(shop.customer("ada", cancel()).await.done(200).text("status"), "CANCELLED");
}

#[tokio::test]
async fn no_events_of_another_customers_order_are_read() {
    let shop = Shop::stocked().await;
    let id = confirmed(&shop).await;
    let item = json!({"lines": [{"sku": "heart", "quantity": 1}], "email": "ada@example.org"});
    let cart = shop.guest_cart("heart").await;
    let placed = shop.send(Call::post("/api/orders", &item).cart(&cart)).await.done(202);
    let guests = [placed.text("id"), placed.text("code")];
    let loads = || shop.loads().len();
    let before = loads();
    for id in [&id, &guests[0]] {
        let cancel = Call::post(&format!("/api/orders/{id}/cancel"), &json!({}));
        shop.customer("bob", cancel).await.refused(404, "not-found");
        let intent = Call::post("/api/payments/intents", &json!({"orderId": id, "token": "tok_ok"}));
        shop.customer("bob", intent).await.refused(404, "not-found");
    }
    let erase =
        |email: &str| Call::post("/api/orders/lookup/erase", &json!({"code": guests[1], "email": email}));
    shop.send(erase("bob@example.org")).await.refused(404, "not-found");
    assert_eq!(loads(), before, "{:?}", shop.loads());
    shop.send(erase("ada@example.org")).await.done(202);
    assert!(loads() > before);
}
