use serde_json::json;
use souk_domain::CartId;
use souk_domain::product::event::{Changed, Withdrawn};
use souk_domain::product::{Product, ProductEvent};
use souk_http::Role;

use crate::shop::{Shop, content, customer, guest_cart, product};

/// A shop in which Ada's cart has two lamps and a mug. All of them are in stock.
async fn shop_with_cart() -> Shop {
    let mut shop = Shop::open().await;
    shop.create_product(1, content("Lamp", "", &[("A1", 255)])).await;
    shop.create_product(2, content("Mug", "", &[("B2", 100)])).await;
    shop.count_stock("A1", 10).await;
    shop.count_stock("B2", 10).await;
    let cart = CartId::of_customer(&customer("ada"));
    shop.add_to_cart(cart, "B2", 1, 100).await;
    shop.add_to_cart(cart, "A1", 2, 255).await;
    shop.project().await;
    shop
}

#[tokio::test]
async fn a_cart_shows_its_lines_in_the_order_they_were_added() {
    let shop = shop_with_cart().await;
    let response = shop.get("/api/cart").token(Role::Customer, "ada").send().await;
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    // The helper `add_to_cart` stores product 1 in every line.
    let line = |sku: &str, name: &str, quantity: i64, price: i64| {
        json!({"productId": product(1).to_string(), "sku": sku, "name": name, "quantity": quantity,
            "unitPrice": money(price), "lineTotal": money(price * quantity), "currentPrice": money(price),
            "changes": []})
    };
    let expected = json!({
        "id": CartId::of_customer(&customer("ada")).to_string(), "revision": 1,
        "lines": [line("B2", "Mug", 1, 100), line("A1", "Lamp", 2, 255)],
        "total": money(610), "position": "6",
    });
    assert_eq!(response.json, expected);
    assert_eq!(response.headers["etag"], "\"1\"");
}

#[tokio::test]
async fn a_line_shows_what_changed_since_it_was_added() {
    let mut shop = shop_with_cart().await;
    let more_expensive =
        Changed { content: content("Lamp II", "", &[("A1", 300)]), removed_skus: Vec::new() };
    shop.append_event(&Product::stream(product(1)), ProductEvent::from(more_expensive)).await;
    let withdrawn = Withdrawn { removed_skus: vec![crate::shop::sku("B2")] };
    shop.append_event(&Product::stream(product(2)), ProductEvent::from(withdrawn)).await;
    shop.count_stock("A1", 1).await;
    shop.project().await;
    let response = shop.get("/api/cart").token(Role::Customer, "ada").send().await;
    let mug = &response.json["lines"][0];
    let lamp = &response.json["lines"][1];
    assert_eq!((&mug["name"], &mug["changes"]), (&json!("Mug"), &json!(["withdrawn"])));
    assert_eq!(lamp["changes"], json!(["price-changed", "insufficient-stock"]));
    assert_eq!((&lamp["name"], &lamp["currentPrice"]["amount"]), (&json!("Lamp II"), &json!(300)));
    assert_eq!((&lamp["unitPrice"]["amount"], &lamp["lineTotal"]["amount"]), (&json!(255), &json!(510)));
}

#[tokio::test]
async fn a_cart_that_does_not_exist_yet_is_empty() {
    let shop = shop_with_cart().await;
    let nobody = shop.get("/api/cart").send().await;
    let empty = json!({"id": null, "revision": 0, "lines": [], "total": {"amount": 0, "currency": "GBP"}, "position": "6"});
    assert_eq!((nobody.status, nobody.json), (200, empty));
    let bob = shop.get("/api/cart").token(Role::Customer, "bob").send().await;
    assert_eq!((bob.status, &bob.json["lines"]), (200, &json!([])));
}

#[tokio::test]
async fn a_guests_cart_is_shown_only_with_its_token() {
    let mut shop = shop_with_cart().await;
    shop.add_to_cart(guest_cart(9), "A1", 1, 255).await;
    shop.project().await;
    let guest = shop.get("/api/cart").cart(guest_cart(9)).send().await;
    assert_eq!(
        (&guest.json["id"], &guest.json["total"]["amount"]),
        (&json!(guest_cart(9).to_string()), &json!(255))
    );
    assert_eq!(shop.get("/api/cart").cart(guest_cart(8)).send().await.json["lines"], json!([]));
    shop.get("/api/cart")
        .header("x-cart-token", "forged")
        .send()
        .await
        .assert_problem(400, "invalid-parameter");
}
