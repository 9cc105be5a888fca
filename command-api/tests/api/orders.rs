use serde_json::{Value, json};
use souk_domain::OrderId;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Order, OrderCommand, OrderState};

use crate::shop::{Call, TestResponse, TestShop};

fn of_hearts(quantity: u32) -> Value {
    json!({"lines": [{"sku": "heart", "quantity": quantity}], "payment": {"token": "tok_ok"}})
}

fn order(body: &Value) -> Call {
    Call::post("/api/orders", body)
}

async fn state(shop: &TestShop, id: &str) -> OrderState {
    let stream = Order::stream(OrderId(id.parse().unwrap()));
    (*shop.ports.aggregates.orders.load(&stream).await.unwrap().unwrap().state).clone()
}

pub(crate) async fn confirmed(shop: &TestShop) -> String {
    let id = shop.customer("ada", order(&of_hearts(2))).await.done(202).text("id");
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    shop.as_checkout(&id, OrderCommand::Confirm { paid_outside: false }).await;
    id
}

async fn step(shop: &TestShop, id: &str, what: &str, body: Value) -> TestResponse {
    shop.admin(Call::post(&format!("/api/orders/{id}/{what}"), &body)).await
}

#[tokio::test]
async fn a_new_order_gets_a_code_and_a_status_at_once() {
    let shop = TestShop::stocked().await;
    let response = shop.customer("ada", order(&of_hearts(2))).await.done(202);
    let id = response.text("id");
    assert_eq!(response.head("location"), format!("/api/orders/{id}"));
    assert_eq!((response.head("etag"), response.text("status").as_str()), ("\"0\"", "PLACED"));
    assert!(response.text("code").starts_with("SK-"));
    let state = state(&shop, &id).await;
    assert_eq!((state.total().unwrap().amount, state.customer().unwrap().as_str()), (510, "ada"));
}

#[tokio::test]
async fn a_wait_ends_when_the_order_settles() {
    let shop = TestShop::stocked().await;
    let request = shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=30"));
    let settling = async {
        let stream = loop {
            let placed = shop.log.lock().unwrap().of_category("order");
            match placed.into_iter().next() {
                Some(stream) => break stream,
                None => tokio::task::yield_now().await,
            }
        };
        shop.as_checkout(stream.id(), OrderCommand::AwaitPayment).await;
        let reason = Reason { code: ReasonCode::InsufficientStock, detail: "".into() };
        shop.as_checkout(stream.id(), OrderCommand::Fail { reason, failed_skus: Vec::new() }).await;
    };
    let (response, ()) = tokio::join!(request, settling);
    let response = response.done(201);
    assert_eq!((response.text("status").as_str(), &response.body["revision"]), ("CANCELLED", &json!(2)));
}

#[tokio::test]
async fn a_wait_ends_at_once_when_the_shop_stops_or_the_wait_is_zero() {
    let shop = TestShop::stocked().await;
    shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=0")).await.done(202);
    shop.stop.send_replace(true);
    shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=30")).await.done(202);
    shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=31"))
        .await
        .refused(400, "invalid-parameter");
}

#[tokio::test]
async fn a_repeat_with_a_key_returns_the_same_order_with_its_current_status() {
    let shop = TestShop::stocked().await;
    let call = || order(&of_hearts(1)).key("k");
    let first = shop.customer("ada", call()).await.done(202);
    shop.as_checkout(&first.text("id"), OrderCommand::AwaitPayment).await;
    shop.as_checkout(&first.text("id"), OrderCommand::Confirm { paid_outside: false }).await;
    let heart =
        shop.log.lock().unwrap().of_category("product").into_iter().map(|product| product.id().to_owned());
    for product in heart.collect::<Vec<_>>() {
        shop.admin(Call::delete(&format!("/api/products/{product}"))).await.done(200);
    }
    let again = shop.customer("ada", call().header("prefer", "wait=10")).await.done(201);
    assert_eq!((again.text("id"), again.text("status").as_str()), (first.text("id"), "CONFIRMED"));
    shop.customer("ada", order(&of_hearts(2)).key("k")).await.refused(422, "idempotency-key-reused");
    shop.customer("ada", order(&of_hearts(1)))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/sku", "unknown-sku");
}

#[tokio::test]
async fn lines_with_the_same_sku_and_price_are_combined() {
    let shop = TestShop::stocked().await;
    let price = json!({"amount": 200, "currency": "GBP"});
    let body = json!({"lines": [
        {"sku": "heart", "quantity": 1}, {"sku": "star", "quantity": 1},
        {"sku": " heart ", "quantity": 2}, {"sku": "heart", "quantity": 1, "unitPrice": price},
    ]});
    let id = shop.admin(order(&body)).await.done(202).text("id");
    assert_eq!(state(&shop, &id).await.total().unwrap().amount, 3 * 255 + 1000 + 200);
}

#[tokio::test]
async fn only_admins_order_for_other_customers_and_set_prices() {
    let shop = TestShop::stocked().await;
    let mut body = of_hearts(1);
    body["customerId"] = json!("14911");
    shop.customer("ada", order(&body)).await.refused(403, "forbidden");
    let id = shop.admin(order(&body)).await.done(202).text("id");
    assert_eq!(state(&shop, &id).await.customer().unwrap().as_str(), "14911");
    let mut priced = of_hearts(1);
    priced["lines"][0]["unitPrice"] = json!({"amount": 1, "currency": "GBP"});
    shop.customer("ada", order(&priced)).await.refused(403, "forbidden");
    priced["lines"][0]["unitPrice"]["currency"] = json!("EUR");
    shop.admin(order(&priced))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/unitPrice/currency", "currency-mismatch");
    priced["lines"][0]["unitPrice"] = json!({"amount": -1, "currency": "GBP"});
    shop.admin(order(&priced))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/unitPrice/amount", "out-of-range");
}

#[tokio::test]
async fn a_guest_orders_with_cart_token_and_email() {
    let shop = TestShop::stocked().await;
    let mut body = of_hearts(1);
    shop.send(order(&body)).await.refused(401, "unauthenticated");
    let item = json!({"sku": "heart", "quantity": 1});
    let token =
        shop.send(Call::post("/api/cart/items", &item)).await.done(200).head("x-cart-token").to_owned();
    shop.send(order(&body).cart(&token)).await.refused(422, "validation-failed").at("/email", "missing");
    for email in ["ada", "ada@", "@example.org", "ada@example", "a b@example.org", "a@b@example.org"] {
        body["email"] = json!(email);
        shop.send(order(&body).cart(&token))
            .await
            .refused(422, "validation-failed")
            .at("/email", "invalid-email");
    }
    body["email"] = json!("Ada@Example.org");
    let id = shop.send(order(&body).cart(&token)).await.done(202).text("id");
    assert!(state(&shop, &id).await.customer().is_none());
}

#[tokio::test]
async fn another_customers_order_is_not_found() {
    let shop = TestShop::stocked().await;
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
    let shop = TestShop::stocked().await;
    let id = confirmed(&shop).await;
    let item = json!({"lines": [{"sku": "heart", "quantity": 1}], "email": "ada@example.org"});
    let added = shop.send(Call::post("/api/cart/items", &item["lines"][0])).await.done(200);
    let cart = added.head("x-cart-token").to_owned();
    let placed = shop.send(Call::post("/api/orders", &item).cart(&cart)).await.done(202);
    let guests = [placed.text("id"), placed.text("code")];
    let loads = || shop.log.lock().unwrap().loads.len();
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
    assert_eq!(loads(), before, "{:?}", shop.log.lock().unwrap().loads);
    shop.send(erase("ada@example.org")).await.done(202);
    assert!(loads() > before);
}

#[tokio::test]
async fn an_order_goes_from_confirmed_to_returned_step_by_step() {
    let shop = TestShop::stocked().await;
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
    let shop = TestShop::stocked().await;
    let id = shop.customer("ada", order(&of_hearts(1))).await.done(202).text("id");
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

#[tokio::test]
async fn a_shipment_correction_changes_only_the_fields_that_were_sent() {
    let shop = TestShop::stocked().await;
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
    let events = shop.log.lock().unwrap().stream(&Order::stream(OrderId(id.parse().unwrap())));
    let last: Value = serde_json::from_slice(&events.last().unwrap().event.data).unwrap();
    assert_eq!(last, json!({"carrier": "Royal Mail", "tracking": "RM2"}));
}
