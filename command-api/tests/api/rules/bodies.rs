//! Bodies that every route refuses, and the pointers of the errors.

use serde_json::json;
use souk_http_shop::{Call, Shop};

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

// Proves: common.malformed-bodies
// Proves: common.unknown-fields
#[tokio::test]
async fn every_route_refuses_malformed_mistyped_and_oversized_bodies() {
    let shop = Shop::stocked().await;
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
    let shop = Shop::stocked().await;
    for path in ["/api/orders/x/confirm", "/api/orders/x/deliver", "/api/orders/admin/saga/timeouts/run"] {
        shop.admin(Call::post_raw(path, "not json")).await.refused(400, "malformed-body");
        let response = shop.admin(Call::post(path, &json!({"x": 1}))).await;
        response.refused(422, "validation-failed").at("/x", "unknown-field");
    }
}

#[tokio::test]
async fn the_error_for_a_missing_field_points_to_the_field() {
    let shop = Shop::stocked().await;
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
    let shop = Shop::stocked().await;
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
