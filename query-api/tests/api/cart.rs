//! Tests of `GET /api/cart`.

use serde_json::json;
use souk_domain::CartId;
use souk_domain::product::event::{Changed, Withdrawn};
use souk_domain::product::{Product, ProductEvent};
use souk_http_shop::{Call, Shop, cart_id, content, customer_id, product_id};

/// A shop in which Ada's cart has two lamps and a mug. All of them are in stock.
async fn shop_with_cart() -> Shop {
    let shop = Shop::open().await;
    shop.append_product(1, content("Lamp", "", &[("A1", 255)])).await;
    shop.append_product(2, content("Mug", "", &[("B2", 100)])).await;
    shop.append_count("A1", 10).await;
    shop.append_count("B2", 10).await;
    let cart = CartId::of_customer(&customer_id("ada"));
    shop.append_cart_item(cart, "B2", 1, 100).await;
    shop.append_cart_item(cart, "A1", 2, 255).await;
    shop.project().await;
    shop
}

#[tokio::test]
async fn a_cart_shows_its_lines_in_the_order_they_were_added() {
    let shop = shop_with_cart().await;
    let response = shop.customer("ada", Call::get("/api/cart")).await;
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    // The helper `add_to_cart` stores product 1 in every line.
    let line = |sku: &str, name: &str, quantity: i64, price: i64| {
        json!({"productId": product_id(1).to_string(), "sku": sku, "name": name, "quantity": quantity,
            "unitPrice": money(price), "lineTotal": money(price * quantity), "currentPrice": money(price),
            "changes": []})
    };
    let expected = json!({
        "id": CartId::of_customer(&customer_id("ada")).to_string(), "revision": 1,
        "lines": [line("B2", "Mug", 1, 100), line("A1", "Lamp", 2, 255)],
        "total": money(610), "position": "6",
    });
    assert_eq!(response.body, expected);
    assert_eq!(response.headers["etag"], "\"1\"");
}

// Proves: cart.cart-shows-changes
#[tokio::test]
async fn a_line_shows_what_changed_since_it_was_added() {
    let shop = shop_with_cart().await;
    let more_expensive =
        Changed { content: content("Lamp II", "", &[("A1", 300)]), removed_skus: Vec::new() };
    shop.append(&Product::stream(product_id(1)), ProductEvent::from(more_expensive)).await;
    let withdrawn = Withdrawn { removed_skus: vec![souk_http_shop::sku("B2")] };
    shop.append(&Product::stream(product_id(2)), ProductEvent::from(withdrawn)).await;
    shop.append_count("A1", 1).await;
    shop.project().await;
    let response = shop.customer("ada", Call::get("/api/cart")).await;
    let mug = &response.body["lines"][0];
    let lamp = &response.body["lines"][1];
    assert_eq!((&mug["name"], &mug["changes"]), (&json!("Mug"), &json!(["withdrawn"])));
    assert_eq!(lamp["changes"], json!(["price-changed", "insufficient-stock"]));
    assert_eq!((&lamp["name"], &lamp["currentPrice"]["amount"]), (&json!("Lamp II"), &json!(300)));
    assert_eq!((&lamp["unitPrice"]["amount"], &lamp["lineTotal"]["amount"]), (&json!(255), &json!(510)));
}

// Proves: cart.empty-cart
#[tokio::test]
async fn a_cart_that_does_not_exist_yet_is_empty() {
    let shop = shop_with_cart().await;
    let nobody = shop.send(Call::get("/api/cart")).await;
    let empty = json!({"id": null, "revision": 0, "lines": [], "total": {"amount": 0, "currency": "GBP"}, "position": "6"});
    assert_eq!((nobody.status, nobody.body), (200, empty));
    let bob = shop.customer("bob", Call::get("/api/cart")).await;
    assert_eq!((bob.status, &bob.body["lines"]), (200, &json!([])));
}

// Proves: cart.guest-cart
#[tokio::test]
async fn a_guests_cart_is_shown_only_with_its_token() {
    let shop = shop_with_cart().await;
    shop.append_cart_item(cart_id(9), "A1", 1, 255).await;
    shop.project().await;
    let guest = shop.guest(cart_id(9), Call::get("/api/cart")).await;
    assert_eq!(
        (&guest.body["id"], &guest.body["total"]["amount"]),
        (&json!(cart_id(9).to_string()), &json!(255))
    );
    assert_eq!(shop.guest(cart_id(8), Call::get("/api/cart")).await.body["lines"], json!([]));
    shop.send(Call::get("/api/cart").header("x-cart-token", "forged"))
        .await
        .refused(400, "invalid-parameter");
}
