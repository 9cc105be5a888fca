//! Tests of `POST /api/orders` with the lines of the cart.

mod place;
mod second_click;

use serde_json::json;
use souk_domain::order::Order;
use souk_eventsourcing::Decider;
use souk_http_shop::{Call, Response, Shop};

pub(crate) fn from_cart() -> Call {
    Call::post("/api/orders", &json!({"cart": true, "payment": {"token": "tok_ok"}}))
}

pub(crate) async fn add(shop: &Shop, sku: &str) -> Response {
    shop.customer("ada", Call::post("/api/cart/items", &json!({"sku": sku, "quantity": 2}))).await.done(200)
}

pub(crate) async fn orders(shop: &Shop) -> usize {
    shop.streams_of(Order::CATEGORY).await.len()
}
