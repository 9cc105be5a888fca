//! Tests of the advice in the problem catalogue. Each test follows the advice after a refused request. Then
//! the same request succeeds, or another request reaches its purpose.

use std::path::Path;

use serde_json::{Value, json};
use souk_http::catalogue;

use crate::auth::{PASSWORD, login_call, sign_up_call, signed_up};
use crate::orders::confirmed;
use crate::payments_webhook::signed;
use crate::shop::{Call, TestResponse, TestShop, product};

/// Path of this file.
const HERE: &str = "command-api/tests/api/advice.rs";
/// Path of the tests of identity providers.
const PROVIDERS: &str = "command-api/tests/api/providers.rs";

/// The codes whose explanation contains advice, and the file and name of the test that follows it.
const TESTED: &[(&str, &str, &str)] = &[
    ("malformed-body", HERE, "advice_about_the_form_of_a_request_helps"),
    ("api-version-missing", HERE, "advice_about_the_form_of_a_request_helps"),
    ("body-not-allowed", HERE, "advice_about_the_form_of_a_request_helps"),
    ("unsupported-media-type", HERE, "advice_about_the_form_of_a_request_helps"),
    ("unauthenticated", "command-api/tests/api/auth.rs", "a_repeated_refresh_token_ends_its_session"),
    ("invalid-signature", HERE, "advice_about_the_form_of_a_request_helps"),
    ("idempotency-key-reused", HERE, "advice_about_the_form_of_a_request_helps"),
    ("revision-mismatch", HERE, "advice_about_the_form_of_a_request_helps"),
    ("sku-taken", HERE, "advice_about_products_helps"),
    ("product-withdrawn", HERE, "advice_about_products_helps"),
    ("email-taken", HERE, "advice_about_accounts_helps"),
    ("too-many-addresses", HERE, "advice_about_accounts_helps"),
    ("last-way-to-sign-in", PROVIDERS, "an_identity_is_unlinked_unless_it_is_the_only_way_to_sign_in"),
    ("account-not-linked", PROVIDERS, "an_existing_account_is_linked_by_its_owner_only"),
    ("email-not-verified", PROVIDERS, "an_existing_account_is_linked_by_its_owner_only"),
    ("sign-in-needed", PROVIDERS, "a_user_without_a_password_confirms_an_erasure_by_a_recent_sign_in"),
    ("stock-below-reserved", HERE, "advice_about_stock_helps"),
    ("reservation-exists", HERE, "advice_about_stock_helps"),
    ("reservation-not-open", HERE, "advice_about_stock_helps"),
    ("reservation-expired", HERE, "advice_about_stock_helps"),
    ("price-changed", HERE, "advice_about_carts_helps"),
    ("cart-empty", HERE, "advice_about_carts_helps"),
    ("order-not-cancellable", HERE, "advice_about_orders_helps"),
    ("too-many-notes", "command-api/tests/api/order_notes.rs", "an_order_has_a_limited_number_of_notes"),
    ("order-not-shippable", HERE, "advice_about_orders_helps"),
    ("order-address-erased", HERE, "advice_about_an_order_without_an_address_helps"),
    (
        "payment-in-progress",
        "command-api/tests/api/payments.rs",
        "an_order_that_waits_for_payment_is_paid_in_full",
    ),
    ("still-parked", "tests/shop/replay.rs", "an_unreadable_event_parks_only_its_order"),
    ("export-in-progress", "query-api/tests/api/export.rs", "a_person_has_one_export_at_a_time"),
];

/// The codes whose advice is to repeat the request later or to start again. These requests contain no
/// mistake, so no test follows the advice.
const REPEAT_LATER: &[&str] = &[
    "cart-changed",
    "credentials-unavailable",
    "idempotency-in-flight",
    "keys-unavailable",
    "overloaded",
    "rate-limited",
    "read-model-behind",
    "request-timeout",
    "revision-conflict",
    "sign-in-not-begun",
    "sign-in-refused",
    "upstream-unavailable",
];

/// The codes whose advice is for operators, and the codes that no HTTP response contains.
const NOT_FOR_CALLERS: &[&str] = &["product-exists", "too-many-skips"];

/// First words of sentences that give advice. `Check` is not in the list: it only tells where to look.
const ADVISING: [&str; 19] = [
    "Add", "Cancel", "Correct", "Create", "Delete", "Fix", "Read", "Record", "Release", "Repeat", "Replace",
    "Reserve", "Send", "Set", "Sign", "Start", "Use", "Verify", "Wait",
];

#[test]
fn all_advice_in_the_catalogue_has_a_test() {
    let advises = |explanation: &str| {
        let mut verbs = explanation.split(". ").filter_map(|sentence| sentence.split([' ', ',', '.']).next());
        verbs.any(|verb| ADVISING.contains(&verb))
    };
    for entry in catalogue::entries() {
        let is_listed = TESTED.iter().any(|(code, ..)| *code == entry.code);
        let is_covered =
            is_listed || REPEAT_LATER.contains(&entry.code) || NOT_FOR_CALLERS.contains(&entry.code);
        assert!(is_covered || !advises(entry.explanation), "{}: {}", entry.code, entry.explanation);
        assert!(!is_covered || advises(entry.explanation), "{} has no advice", entry.code);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (code, file, test) in TESTED {
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        let body = source.split_once(&format!("fn {test}(")).map(|(_, rest)| rest.split_once("\n}\n"));
        let body = body.flatten().unwrap_or_else(|| panic!("{file} has no test {test}")).0;
        assert!(body.contains(code), "{test} does not test {code}");
    }
}

async fn post(shop: &TestShop, path: &str, body: Value) -> TestResponse {
    shop.admin(Call::post(path, &body)).await
}

#[tokio::test]
async fn advice_about_the_form_of_a_request_helps() {
    let shop = TestShop::stocked().await;
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
    let token = format!("Bearer {}", shop.token("ops", souk_http::Role::Admin));
    let without = count(8).header("authorization", &token).without("x-api-version");
    shop.send(without).await.refused(400, "api-version-missing");
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
    let shop = TestShop::stocked().await;
    let path = "/api/products";
    post(&shop, path, product("heart", 100)).await.refused(409, "sku-taken");
    let created = post(&shop, path, product("lantern", 100)).await.done(201).text("id");
    let one = format!("{path}/{created}");
    shop.admin(Call::delete(&one)).await.done(200);
    shop.admin(Call::put(&one, &product("lantern", 100))).await.refused(409, "product-withdrawn");
    post(&shop, path, product("lantern", 100)).await.done(201);
}

#[tokio::test]
async fn advice_about_accounts_helps() {
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
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
    let shop = TestShop::stocked().await;
    let order = |body: Value| shop.customer("ada", Call::post("/api/orders", &body));
    let cart = || json!({"cart": true});
    order(cart()).await.refused(409, "cart-empty");
    let item = Call::post("/api/cart/items", &json!({"sku": "lantern", "quantity": 1}));
    let created = post(&shop, "/api/products", product("lantern", 100)).await.done(201).text("id");
    let change_price =
        |amount: i64| Call::put(&format!("/api/products/{created}"), &product("lantern", amount));
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
    let shop = TestShop::stocked().await;
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
    let shop = TestShop::stocked().await;
    let address = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"});
    for is_cancelled in [false, true] {
        let item = json!({"sku": "heart", "quantity": 1});
        let token =
            shop.send(Call::post("/api/cart/items", &item)).await.done(200).head("x-cart-token").to_owned();
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
