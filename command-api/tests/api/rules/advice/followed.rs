//! Requests that follow the advice after a refused request. Then the same request succeeds, or another request
//! reaches its purpose.

use serde_json::{Value, json};
use souk_http_shop::{Call, Response, Shop, product_body};

use crate::auth::{PASSWORD, login_call, sign_up_call, signed_up};
use crate::orders::confirmed;
use crate::payments::signed;

async fn post(shop: &Shop, path: &str, body: Value) -> Response {
    shop.admin(Call::post(path, &body)).await
}

#[tokio::test]
async fn advice_about_the_form_of_a_request_helps() {
    let shop = Shop::stocked().await;
    let path = "/api/inventory/stock";
    let count = |on_hand: i64| Call::post(path, &json!({"sku": "heart", "onHand": on_hand}));
    shop.admin(Call::post_raw(path, "{")).await.refused(400, "malformed-body");
    shop.admin(count(5).header("x-api-version", "")).await.refused(400, "api-version-unsupported");
    shop.admin(count(5).header("content-type", "text/csv")).await.refused(415, "unsupported-media-type");
    shop.admin(count(5).key("k")).await.done(200);
    shop.admin(count(6).key("k")).await.refused(422, "idempotency-key-reused");
    let revision = shop.admin(count(6).key("another")).await.done(200).body["revision"].as_u64().unwrap();
    shop.admin(count(7).header("if-match", "\"99\"")).await.refused(412, "revision-mismatch");
    shop.admin(count(7).header("if-match", &format!("\"{revision}\""))).await.done(200);
    shop.admin(count(8).without("x-api-version")).await.refused(400, "api-version-missing");
    shop.admin(count(8)).await.done(200);
    let deletion = || Call::delete("/api/cart");
    shop.customer("ada", deletion().json(&json!({}))).await.refused(400, "body-not-allowed");
    shop.customer("ada", deletion()).await.done(200);
    let event = json!({"id": "evt_1", "type": "payment.failed", "providerPaymentId": "x",
        "createdAt": "2026-11-21T12:00:00Z"});
    let event = event.to_string();
    shop.send(Call::post_raw("/api/payments/webhook", event.clone())).await.refused(401, "invalid-signature");
    shop.send(signed(&event)).await.done(202);
}

#[tokio::test]
async fn advice_about_products_helps() {
    let shop = Shop::stocked().await;
    let path = "/api/products";
    post(&shop, path, product_body("heart", 100)).await.refused(409, "sku-taken");
    let created = shop.create_product("lantern", 100).await;
    let one = format!("{path}/{created}");
    shop.admin(Call::delete(&one)).await.done(200);
    shop.admin(Call::put(&one, &product_body("lantern", 100))).await.refused(409, "product-withdrawn");
    post(&shop, path, product_body("lantern", 100)).await.done(201);
}

#[tokio::test]
async fn advice_about_accounts_helps() {
    let shop = Shop::open().await;
    let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
    shop.send(sign_up_call("ada@example.org")).await.refused(409, "email-taken");
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let address = json!({"label": "home", "name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB",
        "postalCode": "N1 1AA"});
    let add = || Call::post("/api/users/me/addresses", &address);
    let mut last = String::new();
    for _ in 0..souk_domain::limits::ADDRESSES_MAX {
        last = shop.as_user(&token, add()).await.done(201).text("id");
    }
    shop.as_user(&token, add()).await.refused(409, "too-many-addresses");
    shop.as_user(&token, Call::delete(&format!("/api/users/me/addresses/{last}"))).await.done(200);
    shop.as_user(&token, add()).await.done(201);
}

#[tokio::test]
async fn advice_about_stock_helps() {
    let shop = Shop::open().await;
    let at = |what: &str| format!("/api/inventory/{what}");
    let count = |on_hand: i64| json!({"sku": "S1", "onHand": on_hand});
    let reserve =
        |quantity: u32| json!({"orderId": "o1", "sku": "S1", "quantity": quantity, "expiresInSeconds": 60});
    let reservation = || json!({"orderId": "o1", "sku": "S1"});
    post(&shop, &at("stock"), count(9)).await.done(200);
    post(&shop, &at("release"), reservation()).await.refused(409, "reservation-not-open");
    post(&shop, &at("reserve"), reserve(3)).await.done(200);
    post(&shop, &at("reserve"), reserve(4)).await.refused(409, "reservation-exists");
    post(&shop, &at("release"), reservation()).await.done(200);
    post(&shop, &at("reserve"), reserve(4)).await.done(200);
    post(&shop, &at("stock"), count(3)).await.refused(409, "stock-below-reserved");
    post(&shop, &at("stock"), count(4)).await.done(200);
    post(&shop, &at("stock"), count(3)).await.refused(409, "stock-below-reserved");
    post(&shop, &at("release"), reservation()).await.done(200);
    post(&shop, &at("stock"), count(3)).await.done(200);
    post(&shop, &at("reserve"), reserve(3)).await.done(200);
    shop.pass(60);
    post(&shop, &at("confirm"), reservation()).await.refused(409, "reservation-expired");
    // An expired reservation can be made again, with the same quantity (which expires too) or another one.
    for quantity in [3, 2] {
        post(&shop, &at("reserve"), reserve(quantity)).await.done(200);
        shop.pass(if quantity == 3 { 60 } else { 0 });
    }
    post(&shop, &at("confirm"), reservation()).await.done(200);
}

#[tokio::test]
async fn advice_about_carts_helps() {
    let shop = Shop::stocked().await;
    let order = |body: Value| shop.customer("ada", Call::post("/api/orders", &body));
    let cart = || json!({"cart": true});
    order(cart()).await.refused(409, "cart-empty");
    let item = Call::post("/api/cart/items", &json!({"sku": "lantern", "quantity": 1}));
    let created = shop.create_product("lantern", 100).await;
    let change_price =
        |amount: i64| Call::put(&format!("/api/products/{created}"), &product_body("lantern", amount));
    shop.customer("ada", item.clone()).await.done(200);
    shop.admin(change_price(200)).await.done(200);
    order(cart()).await.refused(409, "price-changed");
    order(json!({"cart": true, "acceptPriceChanges": true})).await.done(202);
    shop.customer("ada", item).await.done(200);
    shop.admin(change_price(300)).await.done(200);
    order(cart()).await.refused(409, "price-changed");
    shop.customer("ada", Call::put("/api/cart/items/lantern", &json!({"quantity": 1}))).await.done(200);
    order(cart()).await.done(202);
}

#[tokio::test]
async fn advice_about_orders_helps() {
    let shop = Shop::stocked().await;
    for is_delivered in [false, true] {
        let id = confirmed(&shop).await;
        let at = |what: &str| format!("/api/orders/{id}/{what}");
        let ship = |tracking: &str| json!({"carrier": "Royal Mail", "tracking": tracking});
        post(&shop, &at("ship"), ship("RM1")).await.done(200);
        if is_delivered {
            post(&shop, &at("deliver"), json!({})).await.done(200);
        }
        let refused = post(&shop, &at("ship"), ship("RM2")).await.refused(409, "order-not-shippable");
        assert!(refused.text("detail").contains("`PATCH` of `/shipments/1`"), "{}", refused.body);
        let number = json!({"trackingNumber": "RM2"}).to_string().into_bytes();
        shop.admin(Call::new("PATCH", &at("shipments/1"), number)).await.done(200);
        let refused = post(&shop, &at("cancel"), json!({})).await.refused(409, "order-not-cancellable");
        assert!(refused.text("detail").contains("with `/return`"), "{}", refused.body);
        let returned = json!({"lines": [{"sku": "heart", "quantity": 2}]});
        assert_eq!(post(&shop, &at("return"), returned).await.done(200).text("status"), "RETURNED");
        // A returned order can't be returned again, so the message has no advice any more.
        let refused = post(&shop, &at("cancel"), json!({})).await.refused(409, "order-not-cancellable");
        assert_eq!(refused.text("detail"), "an order with status RETURNED can't be cancelled");
        let refused = post(&shop, &at("ship"), ship("RM3")).await.refused(409, "order-not-shippable");
        assert_eq!(refused.text("detail"), "an order with status RETURNED can't be shipped");
    }
}

#[tokio::test]
async fn advice_about_an_order_without_an_address_helps() {
    let shop = Shop::stocked().await;
    let address = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"});
    for is_cancelled in [false, true] {
        let token = shop.guest_cart("heart").await;
        let body = json!({"cart": true, "email": "ada@example.org", "shippingAddress": address});
        let placed = shop.send(Call::post("/api/orders", &body).cart(&token)).await.done(202);
        let id = placed.text("id");
        let code = placed.text("code");
        shop.as_checkout(&id, souk_domain::order::OrderCommand::AwaitPayment).await;
        shop.as_checkout(&id, souk_domain::order::OrderCommand::Confirm { paid_outside: true }).await;
        let erase = json!({"code": code, "email": "ada@example.org"});
        shop.send(Call::post("/api/orders/lookup/erase", &erase)).await.done(202);
        let at = |what: &str| format!("/api/orders/{id}/{what}");
        post(&shop, &at("ship"), json!({"carrier": "post"})).await.refused(409, "order-address-erased");
        if is_cancelled {
            assert_eq!(post(&shop, &at("cancel"), json!({})).await.done(200).text("status"), "CANCELLED");
        } else {
            shop.admin(Call::put(&at("shipping-address"), &address)).await.done(200);
            post(&shop, &at("ship"), json!({"carrier": "post"})).await.done(200);
        }
    }
}
