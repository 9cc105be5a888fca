//! Tests of `/api/inventory/…`.

mod reservations;
mod stock;

use serde_json::Value;
use souk_domain::Sku;
use souk_domain::stock::Stock;
use souk_http_shop::{Call, Response, Shop};

pub(crate) async fn post(shop: &Shop, what: &str, body: Value) -> Response {
    shop.admin(Call::post(&format!("/api/inventory/{what}"), &body)).await
}

pub(crate) async fn counted(units: i64) -> Shop {
    let shop = Shop::open().await;
    shop.set_stock("85123A", units).await;
    shop
}

pub(crate) async fn stock(shop: &Shop) -> (i64, i64) {
    let loaded = shop
        .ports
        .aggregates
        .stock
        .load(&Stock::stream(&Sku::parse("85123A").unwrap()))
        .await
        .unwrap()
        .unwrap();
    (loaded.state.on_hand(), loaded.state.reserved())
}
