//! Tests of `POST /api/admin/import/products`.

mod changes;
mod form;
mod lines;

use serde_json::{Value, json};
use souk_domain::ProductId;
use souk_domain::product::{Content, Product, ProductEvent};
use souk_http_shop::{Call, Response, Shop};

pub(crate) const IMPORT: &str = "/api/admin/import/products";

pub(crate) async fn import(shop: &Shop, lines: &[String]) -> Response {
    shop.admin(Call::post_raw(IMPORT, lines.join("\n"))).await.done(200)
}

pub(crate) fn outcomes(response: &Response) -> Vec<Value> {
    response.body["lines"].as_array().unwrap().iter().map(|line| line["outcome"].clone()).collect()
}

/// Creates a product that has every field and is not for sale. Returns the product's id.
pub(crate) async fn create_full_product(shop: &Shop) -> String {
    let variant = |sku: &str, amount: i64| {
        json!({"sku": sku, "options": {"size": sku}, "price": {"amount": amount, "currency": "GBP"},
            "images": [format!("https://example.org/{sku}.png")]})
    };
    let lamp = json!({"name": "Lamp", "description": "Of glass.", "category": "home/lighting", "active": false,
        "attributes": {"colour": "white", "watts": 40}, "variants": [variant("L1", 100), variant("L2", 200)]});
    shop.admin(Call::post("/api/products", &lamp)).await.done(201).text("id")
}

/// Returns the content of a product and the number of its events.
pub(crate) async fn content(shop: &Shop, id: &str) -> (Content, usize) {
    let stream = Product::stream(ProductId(id.parse().unwrap()));
    let events = shop.events(&stream).await;
    let content = match events.last().unwrap().decode().unwrap() {
        ProductEvent::Created(event) => event.content,
        ProductEvent::Changed(event) => event.content,
        other => panic!("{other:?}"),
    };
    (content, events.len())
}

pub(crate) async fn import_text(shop: &Shop, text: impl Into<Vec<u8>>) -> Response {
    shop.admin(Call::post_raw(IMPORT, text)).await.done(200)
}
