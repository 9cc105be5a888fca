//! Tests of the writes below `/api/orders/{id}`, from the confirmation to the return.

use serde_json::{Value, json};
use souk_domain::OrderId;
use souk_domain::order::{Order, OrderCommand};
use souk_http_shop::{Call, Response, Shop};

use crate::orders::confirmed;

async fn step(shop: &Shop, id: &str, what: &str, body: Value) -> Response {
    shop.admin(Call::post(&format!("/api/orders/{id}/{what}"), &body)).await
}

// Proves: orders.status-transitions
#[tokio::test]
async fn an_order_goes_from_confirmed_to_returned_step_by_step() {
    let shop = Shop::stocked().await;
    let id = confirmed(&shop).await;
    step(&shop, &id, "return", json!({"lines": [{"sku": "heart", "quantity": 1}]}))
        .await
        .refused(409, "order-not-returnable");
    step(&shop, &id, "deliver", json!({})).await.refused(409, "order-not-deliverable");
    let ship = json!({"carrier": "Royal Mail", "tracking": "RM1"});
    shop.customer("ada", Call::post(&format!("/api/orders/{id}/ship"), &ship))
        .await
        .refused(403, "forbidden");
    assert_eq!(step(&shop, &id, "ship", ship.clone()).await.done(200).text("status"), "SHIPPED");
    let repeated = step(&shop, &id, "ship", ship).await.done(200);
    assert_eq!(repeated.body["revision"], 3);
    step(&shop, &id, "cancel", json!({})).await.refused(409, "order-not-cancellable");
    step(&shop, &id, "deliver", json!({})).await.done(200);
    step(&shop, &id, "return", json!({"lines": [{"sku": "heart", "quantity": 3}]}))
        .await
        .refused(409, "return-exceeds-order");
    step(&shop, &id, "return", json!({"lines": []}))
        .await
        .refused(422, "validation-failed")
        .at("/lines", "missing");
    step(&shop, &id, "return", json!({"lines": [{"sku": "a/b", "quantity": 1}]}))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/sku", "invalid-sku");
    let return_call =
        Call::post(&format!("/api/orders/{id}/return"), &json!({"lines": [{"sku": "heart", "quantity": 1}]}));
    for _ in 0..2 {
        assert_eq!(shop.admin(return_call.clone().key("r")).await.done(200).text("status"), "DELIVERED");
    }
    assert_eq!(shop.admin(return_call).await.done(200).text("status"), "RETURNED");
}

#[tokio::test]
async fn only_admins_confirm_an_order_or_change_its_address() {
    let shop = Shop::stocked().await;
    let id = shop.place_order("ada", "heart", 1).await;
    step(&shop, &id, "confirm", json!({})).await.refused(409, "order-not-payable");
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    let path = format!("/api/orders/{id}/shipping-address");
    let address = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "postalCode": "N1 1AA", "country": "GB"});
    shop.customer("ada", Call::put(&path, &address)).await.refused(403, "forbidden");
    shop.admin(Call::put(&path, &address)).await.done(200);
    let mut wrong = address;
    wrong["country"] = json!("Britain");
    wrong["city"] = json!(" ");
    let refused = shop.admin(Call::put(&path, &wrong)).await.refused(422, "validation-failed");
    refused.at("/country", "unknown-country").at("/city", "invalid-length");
    shop.customer("ada", Call::post(&format!("/api/orders/{id}/confirm"), &json!({})))
        .await
        .refused(403, "forbidden");
    step(&shop, &id, "confirm", json!({})).await.done(200);
    let timers = || Call::post("/api/orders/admin/saga/timeouts/run", &json!({}));
    assert_eq!(shop.admin(timers()).await.done(200).body, json!({"fired": 3}));
    shop.customer("ada", timers()).await.refused(403, "forbidden");
}

// Proves: orders.correct-shipment
#[tokio::test]
async fn a_shipment_correction_changes_only_the_fields_that_were_sent() {
    let shop = Shop::stocked().await;
    let id = confirmed(&shop).await;
    let path = format!("/api/orders/{id}/shipments/1");
    let correct = |body: Value| Call::new("PATCH", &path, body.to_string().into_bytes());
    let number = || json!({"trackingNumber": "RM2"});
    shop.admin(correct(number())).await.refused(409, "order-not-shipped");
    step(&shop, &id, "ship", json!({"carrier": "Royal Mail", "tracking": "RM1"})).await.done(200);
    shop.customer("ada", correct(number())).await.refused(403, "forbidden");
    let other = format!("/api/orders/{id}/shipments/2");
    shop.admin(Call::new("PATCH", &other, number().to_string().into_bytes())).await.refused(404, "not-found");
    for (wrong, pointer, code) in [
        (json!({"carrier": " "}), "/carrier", "invalid-length"),
        (json!({"trackingNumber": null}), "/trackingNumber", "invalid-value"),
        (json!({"tracking": "RM2"}), "/tracking", "unknown-field"),
    ] {
        shop.admin(correct(wrong)).await.refused(422, "validation-failed").at(pointer, code);
    }
    for _ in 0..2 {
        let corrected = shop.admin(correct(number()).key("k")).await.done(200);
        assert_eq!(
            (corrected.body["revision"].as_u64(), corrected.text("status")),
            (Some(4), "SHIPPED".into())
        );
    }
    shop.admin(correct(json!({"carrier": "Post"})).header("if-match", "\"3\""))
        .await
        .refused(412, "revision-mismatch");
    let events = shop.events(&Order::stream(OrderId(id.parse().unwrap()))).await;
    let last: Value = serde_json::from_slice(&events.last().unwrap().event.data).unwrap();
    assert_eq!(last, json!({"carrier": "Royal Mail", "tracking": "RM2"}));
}
