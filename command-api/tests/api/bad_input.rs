//! Input that every route refuses.

use serde_json::json;
use souk_http::Role;

use crate::shop::{Call, TestShop};

/// Returns every route with a JSON body, each with a valid body.
fn routes() -> Vec<(&'static str, serde_json::Value)> {
    let line = json!([{"sku": "heart", "quantity": 1}]);
    vec![
        ("/api/products", json!({"name": "x", "sku": "y", "price": {"amount": 1, "currency": "GBP"}})),
        ("/api/inventory/stock", json!({"sku": "heart", "onHand": 1})),
        ("/api/inventory/reserve", json!({"orderId": "o", "sku": "heart", "quantity": 1})),
        ("/api/inventory/release", json!({"orderId": "o", "sku": "heart"})),
        ("/api/inventory/confirm", json!({"orderId": "o", "sku": "heart"})),
        ("/api/cart/items", json!({"sku": "heart", "quantity": 1})),
        ("/api/cart/merge", json!({"cartToken": "x"})),
        ("/api/orders", json!({"lines": line})),
        ("/api/orders/x/cancel", json!({"reason": "x"})),
        ("/api/orders/x/ship", json!({"carrier": "x"})),
        ("/api/orders/x/return", json!({"lines": line})),
        ("/api/payments/intents", json!({"orderId": "x", "token": "x"})),
        ("/api/payments/x/refunds", json!({"reason": "x"})),
    ]
}

#[tokio::test]
async fn every_route_refuses_malformed_mistyped_and_oversized_bodies() {
    let shop = TestShop::stocked().await;
    for (path, body) in routes() {
        // The body of a cancellation is optional.
        let empty_body = (path != "/api/orders/x/cancel").then_some("");
        for malformed in ["{", "nonsense", "\u{0}"].into_iter().chain(empty_body) {
            shop.admin(Call::post_raw(path, malformed)).await.refused(400, "malformed-body");
        }
        for mistyped in ["[]", "null", "7", "\"x\"", "true"] {
            let response = shop.admin(Call::post_raw(path, mistyped)).await;
            response.refused(422, "validation-failed");
        }
        let mut unknown = body.clone();
        unknown["colour"] = json!("red");
        shop.admin(Call::post(path, &unknown))
            .await
            .refused(422, "validation-failed")
            .at("/colour", "unknown-field");
        let as_text = Call::post(path, &body).header("content-type", "text/plain");
        shop.admin(as_text).await.refused(415, "unsupported-media-type");
        let zipped = Call::post_raw(path, [0x1f_u8, 0x8b, 8, 0]).header("content-encoding", "gzip");
        let refused = shop.admin(zipped).await.refused(415, "unsupported-media-type");
        assert!(refused.text("detail").contains("Content-Encoding"), "{}", refused.body);
        let plain = Call::post_raw(path, "{").header("content-encoding", "identity");
        shop.admin(plain).await.refused(400, "malformed-body");
        let oversized = Call::post_raw(path, vec![b' '; 1024 * 1024 + 1]);
        shop.admin(oversized).await.refused(413, "body-too-large");
        shop.admin(Call::post(path, &body).header("x-api-version", "v9"))
            .await
            .refused(400, "api-version-unsupported");
    }
}

#[tokio::test]
async fn routes_without_a_body_refuse_a_body() {
    let shop = TestShop::stocked().await;
    for path in ["/api/orders/x/confirm", "/api/orders/x/deliver", "/api/orders/admin/saga/timeouts/run"] {
        shop.admin(Call::post_raw(path, "not json")).await.refused(400, "malformed-body");
        let response = shop.admin(Call::post(path, &json!({"x": 1}))).await;
        response.refused(422, "validation-failed").at("/x", "unknown-field");
    }
}

#[tokio::test]
async fn the_error_for_a_missing_field_points_to_the_field() {
    let shop = TestShop::stocked().await;
    for (path, field) in [
        ("/api/products", "/name"),
        ("/api/inventory/stock", "/sku"),
        ("/api/inventory/reserve", "/orderId"),
        ("/api/cart/items", "/sku"),
        ("/api/cart/merge", "/cartToken"),
        ("/api/orders/x/ship", "/carrier"),
        ("/api/orders/x/return", "/lines"),
        ("/api/payments/intents", "/orderId"),
    ] {
        shop.admin(Call::post(path, &json!({})))
            .await
            .refused(422, "validation-failed")
            .at(field, "missing-field");
    }
    shop.admin(Call::post("/api/orders", &json!({})))
        .await
        .refused(422, "validation-failed")
        .at("/lines", "ambiguous");
}

#[tokio::test]
async fn the_error_for_an_invalid_number_points_to_its_field() {
    let shop = TestShop::stocked().await;
    for number in
        ["-1", "1.5", "1e18", "1e400", "1000000000000000000", "99999999999999999999", "\"1\"", "null"]
    {
        let item = format!(r#"{{"sku":"heart","quantity":{number}}}"#);
        let response = shop.admin(Call::post_raw("/api/cart/items", item.clone())).await;
        assert_eq!(
            response.refused(422, "validation-failed").body["errors"][0]["pointer"],
            "/quantity",
            "{number}"
        );
        let order = format!(r#"{{"lines":[{item}]}}"#);
        let response = shop.admin(Call::post_raw("/api/orders", order)).await;
        assert_eq!(
            response.refused(422, "validation-failed").body["errors"][0]["pointer"],
            "/lines/0/quantity"
        );
    }
    let zero = json!({"lines": [{"sku": "heart", "quantity": 0}]});
    shop.admin(Call::post("/api/orders", &zero))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/quantity", "out-of-range");
    let many: Vec<_> = (0..2_001).map(|_| json!({"sku": "heart", "quantity": 1})).collect();
    let many = json!({"lines": many});
    shop.admin(Call::post("/api/orders", &many))
        .await
        .refused(422, "validation-failed")
        .at("/lines", "invalid-count");
}

#[tokio::test]
async fn forged_expired_and_foreign_tokens_are_refused() {
    let shop = TestShop::stocked().await;
    let other = TestShop::open().await;
    let call = || Call::post("/api/cart/items", &json!({"sku": "heart", "quantity": 1}));
    let good = shop.token("ada", Role::Customer);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let backwards: String = signature.chars().rev().collect();
    for token in
        [other.token("ada", Role::Admin), format!("{head}."), format!("{head}.{backwards}"), "x".to_owned()]
    {
        shop.send(call().header("authorization", &format!("Bearer {token}")))
            .await
            .refused(401, "unauthenticated");
    }
    shop.pass(3600 + 60);
    shop.send(call().header("authorization", &format!("Bearer {good}")))
        .await
        .refused(401, "unauthenticated");
    let foreign =
        souk_http::cart_token::issue(&other.ports.keys, souk_domain::CartId(uuid::Uuid::from_u128(1)));
    shop.send(call().cart(&foreign)).await.refused(400, "invalid-parameter");
}

#[tokio::test]
async fn the_error_for_a_malformed_header_names_the_header() {
    let shop = TestShop::stocked().await;
    let call = || Call::post("/api/inventory/stock", &json!({"sku": "heart", "onHand": 1}));
    let long = "x".repeat(256);
    for (name, value) in [
        ("idempotency-key", ""),
        ("idempotency-key", "a b"),
        ("idempotency-key", long.as_str()),
        ("if-match", "5"),
        ("if-match", "\"5"),
        ("prefer", "wait=31"),
        ("prefer", "wait=soon"),
        ("x-correlation-id", "a b"),
    ] {
        let response = shop.admin(call().header(name, value)).await.refused(400, "invalid-parameter");
        assert!(response.text("detail").to_lowercase().contains(name), "{}", response.body);
    }
    for other_revision in ["\"5\"", "W/\"5\"", "\"4\", \"5\"", "\"-1\"", "\"x\""] {
        shop.admin(call().header("if-match", other_revision)).await.refused(412, "revision-mismatch");
    }
    let revision = shop.admin(call()).await.done(200).body["revision"].as_u64().unwrap();
    for current in [format!("W/\"{revision}\""), format!("\"4\", \"{revision}\""), "*".to_owned()] {
        shop.admin(call().header("if-match", &current)).await.done(200);
    }
    let absent = Call::post("/api/inventory/stock", &json!({"sku": "nothing", "onHand": 1}));
    shop.admin(absent.header("if-match", "*")).await.refused(412, "revision-mismatch");
}

#[tokio::test]
async fn every_route_refuses_queries_with_control_characters_or_invalid_utf_8() {
    let shop = TestShop::stocked().await;
    let paths = [
        "/api/auth/audit",
        "/api/auth/oidc/x/start",
        "/api/cart/items",
        "/.well-known/jwks.json",
        "/nothing",
    ];
    for path in paths {
        for (query, name) in
            [("q=%00", "q"), ("a=1&q=%C3%28", "q"), ("q=a%0Ab", "q"), ("%7F=1", ""), ("q=%C2%85", "q")]
        {
            let response =
                shop.send(Call::get(&format!("{path}?{query}"))).await.refused(400, "invalid-parameter");
            assert!(response.text("detail").contains(name), "{path} {}", response.body);
        }
    }
    shop.send(Call::get("/nothing?q=%C3%A9+%25")).await.refused(404, "not-found");
}

#[tokio::test]
async fn every_write_of_the_document_has_a_summary() {
    let shop = TestShop::open().await;
    let api = souk_command_api::router(shop.ports.clone()).into_openapi();
    let api = serde_json::to_value(&api).unwrap();
    let paths = api["paths"].as_object().unwrap();
    assert!(!paths.is_empty());
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let is_key_set = path == "/.well-known/jwks.json";
            assert!(is_key_set || operation["summary"].is_string(), "{method} {path}");
        }
    }
}

/// Returns requests with far too many lines, variants or attributes.
fn oversized_requests() -> Vec<(&'static str, &'static str, serde_json::Value, &'static str)> {
    let lines: Vec<_> = (0..30_000).map(|n| json!({"sku": n.to_string(), "quantity": 1})).collect();
    let price = json!({"amount": 1, "currency": "GBP"});
    let variants: Vec<_> = (0..10_000).map(|n| json!({"sku": n.to_string(), "price": price})).collect();
    let attributes: serde_json::Map<_, _> = (0..50_000).map(|n| (n.to_string(), json!({}))).collect();
    vec![
        ("POST", "/api/orders", json!({"lines": lines}), "/lines"),
        (
            "POST",
            "/api/orders/0199c2aa-bbcc-7000-8000-00000000ffff/return",
            json!({"lines": lines}),
            "/lines",
        ),
        ("POST", "/api/products", json!({"name": "x", "variants": variants}), "/variants"),
        ("POST", "/api/products", json!({"name": "x", "attributes": attributes}), "/attributes"),
    ]
}

#[tokio::test]
async fn counts_are_checked_before_any_item_is_looked_up() {
    let shop = TestShop::stocked().await;
    let before = shop.log.lock().unwrap().loads.len();
    for (method, path, body, place) in oversized_requests() {
        let response = shop.admin(Call::new(method, path, body.to_string().into_bytes())).await;
        let response = response.refused(422, "validation-failed");
        assert_eq!(response.body["errors"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(response.body["errors"][0]["pointer"], place);
    }
    let lines = "{}\n".repeat(100_000);
    let response = shop.admin(Call::post_raw("/api/admin/import/products", lines)).await;
    response.refused(422, "validation-failed").at("", "too-many");
    assert_eq!(shop.log.lock().unwrap().loads.len(), before);
}

#[tokio::test]
async fn a_response_lists_at_most_a_hundred_errors_and_repeats_little_of_the_request() {
    let shop = TestShop::stocked().await;
    let lines: Vec<_> = (0..2_000).map(|n| json!({"sku": format!("gone-{n}"), "quantity": 1})).collect();
    let response = shop.admin(Call::post("/api/orders", &json!({"lines": lines}))).await;
    let response = response.refused(422, "validation-failed").at("", "more-errors");
    assert_eq!(response.body["errors"].as_array().unwrap().len(), 101);
    let long = "x".repeat(900_000);
    for body in [
        json!({ long.as_str(): 1 }),
        json!({"lines": long}),
        json!({"lines": [{"sku": "heart", "quantity": 1, "unitPrice": {"amount": 1, "currency": long}}]}),
        json!({"lines": [{"sku": "heart", "quantity": long}]}),
        json!({"lines": [{ long.as_str(): 1 }]}),
    ] {
        let response = shop.admin(Call::post("/api/orders", &body)).await.refused(422, "validation-failed");
        assert!(response.body.to_string().len() < 4_000, "{:.400}", response.body.to_string());
    }
    let path = format!("/api/orders/{}/cancel", "x".repeat(30_000));
    let response = shop.admin(Call::post(&path, &json!({}))).await.refused(404, "not-found");
    assert!(response.body.to_string().len() < 4_000, "{:.400}", response.body.to_string());
}
