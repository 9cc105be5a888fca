//! A second order from a cart that the first one has just emptied, as after a double click.

use serde_json::{Value, json};
use souk_domain::order::OrderCommand;
use souk_http_shop::{Call, Shop};

use crate::orders::from_cart::{add, from_cart, orders};

// Proves: orders.second-click
#[tokio::test]
async fn a_second_click_within_a_minute_returns_the_same_order() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    let first = shop.customer("ada", from_cart()).await.done(202).text("id");
    shop.pass(59);
    assert_eq!(shop.customer("ada", from_cart()).await.done(202).text("id"), first);
    shop.pass(2);
    shop.customer("ada", from_cart()).await.refused(409, "cart-empty");
    add(&shop, "heart").await;
    assert_ne!(shop.customer("ada", from_cart()).await.done(202).text("id"), first);
}

// Proves: orders.empty-cart
#[tokio::test]
async fn a_different_request_for_an_empty_cart_is_refused() {
    let shop = Shop::stocked().await;
    let to = |line1: &str| json!({"name": "Ada", "line1": line1, "city": "London", "country": "GB"});
    let body = || json!({"cart": true, "payment": {"token": "tok_ok"}, "shippingAddress": to("1 Test St")});
    let order = |body: Value| shop.customer("ada", Call::post("/api/orders", &body));
    add(&shop, "heart").await;
    let first = order(body()).await.done(202).text("id");
    for (field, value) in [
        ("payment", json!({"token": "tok_decline"})),
        ("payment", Value::Null),
        ("shippingAddress", to("2 Test St")),
        ("shippingAddress", Value::Null),
        ("email", json!("other@example.org")),
    ] {
        let mut other = body();
        match value {
            Value::Null => drop(other.as_object_mut().unwrap().remove(field)),
            value => other[field] = value,
        }
        order(other).await.refused(409, "cart-empty");
    }
    assert_eq!(order(body()).await.done(202).text("id"), first);
    assert_eq!(orders(&shop).await, 1);
}

#[tokio::test]
async fn a_guests_second_click_must_have_the_same_e_mail_address() {
    let shop = Shop::stocked().await;
    let token = shop.guest_cart("heart").await;
    let order = |email: &str| {
        let body = json!({"cart": true, "email": email});
        shop.send(Call::post("/api/orders", &body).cart(&token))
    };
    let first = order("ada@example.org").await.done(202).text("id");
    order("bob@example.org").await.refused(409, "cart-empty");
    assert_eq!(order(" Ada@example.org ").await.done(202).text("id"), first);
}

#[tokio::test]
async fn a_second_click_after_the_cart_was_changed_or_the_order_cancelled_is_refused() {
    let shop = Shop::stocked().await;
    let item = |quantity: u32| Call::put("/api/cart/items/star", &json!({"quantity": quantity}));
    for change in ["clear", "put in and take out", "cancel"] {
        add(&shop, "heart").await;
        let first = shop.customer("ada", from_cart()).await.done(202).text("id");
        match change {
            "clear" => drop(shop.customer("ada", Call::delete("/api/cart")).await.done(200)),
            "cancel" => {
                let path = format!("/api/orders/{first}/cancel");
                shop.as_checkout(&first, OrderCommand::AwaitPayment).await;
                shop.as_checkout(&first, OrderCommand::Confirm { paid_outside: false }).await;
                shop.customer("ada", Call::post(&path, &json!({}))).await.done(200);
            }
            _ => {
                add(&shop, "star").await;
                shop.customer("ada", item(0)).await.done(200);
            }
        }
        shop.customer("ada", from_cart()).await.refused(409, "cart-empty");
    }
}

#[tokio::test]
async fn a_second_click_can_wait_until_the_first_order_settles() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    let first = shop.customer("ada", from_cart()).await.done(202).text("id");
    let waiting = shop.customer("ada", from_cart().header("prefer", "wait=30"));
    let settling = async {
        shop.as_checkout(&first, OrderCommand::AwaitPayment).await;
        shop.as_checkout(&first, OrderCommand::Confirm { paid_outside: false }).await;
    };
    let (response, ()) = tokio::join!(waiting, settling);
    let response = response.done(201);
    assert_eq!((response.text("id"), response.text("status").as_str()), (first, "CONFIRMED"));
}
