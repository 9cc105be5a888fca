//! Tokens, headers and queries that every route refuses.

use serde_json::json;
use souk_http::Role;
use souk_http_shop::{Call, Shop};

// Proves: edge.invalid-tokens
#[tokio::test]
async fn forged_expired_and_foreign_tokens_are_refused() {
    let shop = Shop::stocked().await;
    let other = Shop::open().await;
    let call = || Call::post("/api/cart/items", &json!({"sku": "heart", "quantity": 1}));
    let good = shop.token("ada", Role::Customer);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let backwards: String = signature.chars().rev().collect();
    for token in
        [other.token("ada", Role::Admin), format!("{head}."), format!("{head}.{backwards}"), "x".to_owned()]
    {
        shop.send(call().token(&token)).await.refused(401, "unauthenticated");
    }
    shop.pass(3600 + 60);
    shop.send(call().token(&good)).await.refused(401, "unauthenticated");
    let foreign =
        souk_http::cart_token::issue(&other.ports.keys, souk_domain::CartId(uuid::Uuid::from_u128(1)));
    shop.send(call().cart(&foreign)).await.refused(400, "invalid-parameter");
}

#[tokio::test]
async fn the_error_for_a_malformed_header_names_the_header() {
    let shop = Shop::stocked().await;
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
    let shop = Shop::stocked().await;
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
