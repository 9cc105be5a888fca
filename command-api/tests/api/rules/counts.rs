//! Limits of the counts in a request, and of the errors in a response.

use serde_json::json;
use souk_http_shop::{Call, Shop};

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
    let shop = Shop::stocked().await;
    let before = shop.loads().len();
    for (method, path, body, place) in oversized_requests() {
        let response = shop.admin(Call::new(method, path, body.to_string().into_bytes())).await;
        let response = response.refused(422, "validation-failed");
        assert_eq!(response.body["errors"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(response.body["errors"][0]["pointer"], place);
    }
    let lines = "{}\n".repeat(100_000);
    let response = shop.admin(Call::post_raw("/api/admin/import/products", lines)).await;
    response.refused(422, "validation-failed").at("", "too-many");
    assert_eq!(shop.loads().len(), before);
}

#[tokio::test]
async fn a_response_lists_at_most_a_hundred_errors_and_repeats_little_of_the_request() {
    let shop = Shop::stocked().await;
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
