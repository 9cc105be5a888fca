//! Tests of `/api/cart/items` and `DELETE /api/cart`.

use serde_json::{Value, json};
use souk_domain::{CartId, CustomerId, Sku};
use souk_http_shop::{Call, Shop, product_body};

use crate::cart::{add, guest, state, units};

// Proves: cart.guest-cart
#[tokio::test]
async fn a_guest_gets_a_cart_token_with_the_first_write() {
    let shop = Shop::stocked().await;
    let (cart, token) = guest(&shop).await;
    let again = shop.send(add("heart", 2).cart(&token)).await.done(200);
    assert_eq!((again.text("id"), again.header("x-cart-token")), (cart.clone(), ""));
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 3);
    let other = shop.send(add("heart", 1)).await.done(200);
    assert_ne!(other.text("id"), cart);
}

// Proves: cart.customer-cart
#[tokio::test]
async fn a_customer_has_one_cart_even_with_a_cart_token() {
    let shop = Shop::stocked().await;
    let cart = shop.customer("ada", add("heart", 2)).await.done(200).text("id");
    assert_eq!(cart, CartId::of_customer(&CustomerId::parse("ada").unwrap()).to_string());
    let (_, token) = guest(&shop).await;
    let response = shop.customer("ada", add("star", 1).cart(&token)).await.done(200);
    assert_eq!((response.text("id"), response.header("x-cart-token")), (cart, ""));
}

#[tokio::test]
async fn a_repeated_add_with_a_key_adds_once_even_if_the_sku_is_no_longer_for_sale() {
    let shop = Shop::stocked().await;
    let call = || add("heart", 2).key("k");
    let first = shop.customer("ada", call()).await.done(200);
    assert_eq!(shop.customer("ada", call()).await.done(200).body, first.body);
    let cart = first.text("id");
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 2);
    let heart = state(&shop, &cart).await.line(&Sku::parse("heart").unwrap()).unwrap().product;
    shop.admin(Call::delete(&format!("/api/products/{heart}"))).await.done(200);
    assert_eq!(shop.customer("ada", call()).await.done(200).body, first.body);
    shop.customer("ada", add("heart", 3).key("k")).await.refused(422, "idempotency-key-reused");
    shop.customer("ada", add("heart", 3)).await.refused(422, "validation-failed").at("/sku", "unknown-sku");
    // The same key counts separately for another customer.
    shop.customer("bob", add("star", 1).key("k")).await.done(200);
}

// Proves: cart.cart-lines
#[tokio::test]
async fn lines_are_changed_and_removed_by_sku_or_product() {
    let shop = Shop::stocked().await;
    let cart = shop.customer("ada", add("heart", 2)).await.done(200).text("id");
    shop.customer("ada", Call::put("/api/cart/items/heart", &json!({"quantity": 5}))).await.done(200);
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 5);
    let product = state(&shop, &cart).await.line(&Sku::parse("heart").unwrap()).unwrap().product;
    shop.customer("ada", Call::put(&format!("/api/cart/items/{product}"), &json!({"quantity": 6})))
        .await
        .done(200);
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 6);
    shop.customer("ada", Call::put("/api/cart/items/heart", &json!({"quantity": 1_000_001})))
        .await
        .refused(422, "validation-failed")
        .at("/quantity", "quantity-limit");
    shop.customer("ada", Call::put("/api/cart/items/star", &json!({"quantity": 1})))
        .await
        .refused(404, "not-found");
    shop.customer("ada", Call::delete(&format!("/api/cart/items/{product}"))).await.done(200);
    assert!(state(&shop, &cart).await.is_empty());
    shop.customer("ada", add("star", 1)).await.done(200);
    shop.customer("ada", Call::delete("/api/cart")).await.done(200);
    assert!(state(&shop, &cart).await.is_empty());
    shop.send(Call::delete("/api/cart")).await.refused(404, "not-found");
}

#[tokio::test]
async fn unknown_and_hidden_skus_and_invalid_quantities_are_refused() {
    let shop = Shop::stocked().await;
    let mut hidden = product_body("moon", 1);
    hidden["active"] = Value::Bool(false);
    shop.admin(Call::post("/api/products", &hidden)).await.done(201);
    for sku in ["none", "moon"] {
        shop.send(add(sku, 1)).await.refused(422, "validation-failed").at("/sku", "unknown-sku");
    }
    for quantity in [0, 1_000_001] {
        shop.send(add("heart", quantity))
            .await
            .refused(422, "validation-failed")
            .at("/quantity", "quantity-limit");
    }
    let euros = json!({"name": "Foreign", "sku": "euro", "price": {"amount": 1, "currency": "EUR"}});
    shop.admin(Call::post("/api/products", &euros)).await.done(201);
    let (_, token) = guest(&shop).await;
    shop.send(add("euro", 1).cart(&token))
        .await
        .refused(422, "validation-failed")
        .at("/sku", "currency-mismatch");
}

#[tokio::test]
async fn the_error_for_a_quantity_names_the_requested_or_the_resulting_units() {
    let shop = Shop::stocked().await;
    shop.customer("ada", add("heart", 9)).await.done(200);
    for (quantity, message) in [(0, "0 were requested"), (999_992, "would have 1000001")] {
        let refused = shop.customer("ada", add("heart", quantity)).await.refused(422, "validation-failed");
        assert!(refused.text("detail").contains(message), "{}", refused.body);
    }
}
