//! Concurrent requests that empty the same cart.

use serde_json::{Value, json};

use crate::add_stock;
use crate::process::Shop;

/// Number of repetitions of a race. In a version with this bug, most repetitions moved the lines twice.
const ROUNDS: usize = 8;

/// Signs a customer up. Returns the `Authorization` header of the customer.
async fn sign_up(shop: &Shop, name: &str) -> String {
    let account =
        json!({"email": format!("{name}@example.org"), "password": "correct horse battery", "name": name});
    let (status, account) = shop.send("POST", "/api/auth/signup", &account, &[]).await;
    assert_eq!(status, 201);
    format!("Bearer {}", account["accessToken"].as_str().unwrap())
}

/// Empties a customer's cart. Returns the number of units that were in it.
async fn empty_cart(shop: &Shop, customer: &str) -> u64 {
    let head = shop.head().await.to_string();
    let headers = [("authorization", customer), ("x-min-position", head.as_str())];
    let cart = shop.send("GET", "/api/cart", &Value::Null, &headers).await.1;
    let units = cart["lines"].as_array().unwrap().iter().map(|line| line["quantity"].as_u64().unwrap()).sum();
    let (status, _) = shop.send("DELETE", "/api/cart", &Value::Null, &[("authorization", customer)]).await;
    assert_eq!(status, 200);
    units
}

// Proves: cart.merge-once
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_merges_of_one_cart_move_its_units_once() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 100).await;
    let ada = sign_up(&shop, "ada").await;
    let bob = sign_up(&shop, "bob").await;
    for round in 0..ROUNDS {
        let token = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 2})).await;
        let body = json!({"cartToken": token});
        let merge = async |customer: &str| {
            let headers = [("authorization", customer)];
            shop.send("POST", "/api/cart/merge", &body, &headers).await.0
        };
        let statuses = tokio::join!(merge(&ada), merge(&bob), merge(&ada));
        assert_eq!(statuses, (200, 200, 200));
        let units = empty_cart(&shop, &ada).await + empty_cart(&shop, &bob).await;
        assert_eq!(units, 2, "in round {round}");
    }
}

// Proves: cart.cart-is-emptied
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_either_ordered_or_merged() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 100).await;
    let ada = sign_up(&shop, "ada").await;
    for round in 0..ROUNDS {
        let token = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 2})).await;
        let order = json!({"cart": true, "email": "eve@example.org", "payment": {"token": "tok_ok"}});
        let cart_header = [("x-cart-token", token.as_str())];
        let body = json!({"cartToken": token});
        let headers = [("authorization", ada.as_str())];
        let (ordered, merged) = tokio::join!(
            shop.send("POST", "/api/orders", &order, &cart_header),
            shop.send("POST", "/api/cart/merge", &body, &headers)
        );
        assert_eq!(merged.0, 200);
        let is_ordered = matches!(ordered.0, 201 | 202);
        assert!(is_ordered || ordered.0 == 409, "{ordered:?}");
        let expected = if is_ordered { 0 } else { 2 };
        assert_eq!(empty_cart(&shop, &ada).await, expected, "in round {round}: {ordered:?}");
    }
}
