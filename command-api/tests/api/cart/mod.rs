//! Tests of `/api/cart/…`.

mod items;
mod merge;

use serde_json::json;
use souk_domain::cart::{Cart, CartState};
use souk_domain::{CartId, Sku};
use souk_http_shop::{Call, Shop};

pub(crate) async fn state(shop: &Shop, cart: &str) -> CartState {
    let cart = CartId(cart.parse().unwrap());
    (*shop.ports.aggregates.carts.load(&Cart::stream(cart)).await.unwrap().unwrap().state).clone()
}

pub(crate) fn units(state: &CartState, sku: &str) -> u32 {
    state.line(&Sku::parse(sku).unwrap()).map_or(0, |line| line.quantity)
}

pub(crate) fn add(sku: &str, quantity: u32) -> Call {
    Call::post("/api/cart/items", &json!({"sku": sku, "quantity": quantity}))
}

/// Creates a guest's cart with one heart. Returns its id and token.
pub(crate) async fn guest(shop: &Shop) -> (String, String) {
    let response = shop.send(add("heart", 1)).await.done(200);
    (response.text("id"), response.header("x-cart-token").to_owned())
}
