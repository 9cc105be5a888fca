//! Carts that several people empty at once.

use serde_json::{Value, json};

use crate::process::Shop;
use crate::stocked;

/// Times that a race is run: lines came twice in most of them.
const ROUNDS: usize = 8;

/// A customer of the shop: the header that signs the requests.
async fn customer(shop: &Shop, name: &str) -> String {
    let account =
        json!({"email": format!("{name}@example.org"), "password": "correct horse battery", "name": name});
    let (status, account) = shop.send("POST", "/api/auth/signup", &account, &[]).await;
    assert_eq!(status, 201);
    format!("Bearer {}", account["accessToken"].as_str().unwrap())
}

/// The units of all lines of a customer's cart, which is emptied.
async fn taken_from(shop: &Shop, customer: &str) -> u64 {
    let head = shop.head().await.to_string();
    let headers = [("authorization", customer), ("x-min-position", head.as_str())];
    let cart = shop.send("GET", "/api/cart", &Value::Null, &headers).await.1;
    let units = cart["lines"].as_array().unwrap().iter().map(|line| line["quantity"].as_u64().unwrap()).sum();
    let (status, _) = shop.send("DELETE", "/api/cart", &Value::Null, &[("authorization", customer)]).await;
    assert_eq!(status, 200);
    units
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customers_who_merge_one_cart_at_once_get_its_units_once() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 100).await;
    let ada = customer(&shop, "ada").await;
    let bob = customer(&shop, "bob").await;
    for round in 0..ROUNDS {
        let token = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 2})).await;
        let body = json!({"cartToken": token});
        let merge = async |customer: &str| {
            let headers = [("authorization", customer)];
            shop.send("POST", "/api/cart/merge", &body, &headers).await.0
        };
        let statuses = tokio::join!(merge(&ada), merge(&bob), merge(&ada));
        assert_eq!(statuses, (200, 200, 200));
        let units = taken_from(&shop, &ada).await + taken_from(&shop, &bob).await;
        assert_eq!(units, 2, "in round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_is_ordered_and_merged_at_once_is_one_of_the_two() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 100).await;
    let ada = customer(&shop, "ada").await;
    for round in 0..ROUNDS {
        let token = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 2})).await;
        let order = json!({"cart": true, "email": "eve@example.org", "payment": {"token": "tok_ok"}});
        let cart = [("x-cart-token", token.as_str())];
        let body = json!({"cartToken": token});
        let headers = [("authorization", ada.as_str())];
        let (ordered, merged) = tokio::join!(
            shop.send("POST", "/api/orders", &order, &cart),
            shop.send("POST", "/api/cart/merge", &body, &headers)
        );
        assert_eq!(merged.0, 200);
        let is_ordered = matches!(ordered.0, 201 | 202);
        assert!(is_ordered || ordered.0 == 409, "{ordered:?}");
        let expected = if is_ordered { 0 } else { 2 };
        assert_eq!(taken_from(&shop, &ada).await, expected, "in round {round}: {ordered:?}");
    }
}
