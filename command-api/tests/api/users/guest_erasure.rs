//! Tests of `POST /api/orders/lookup/erase`.

use serde_json::json;
use souk_domain::OrderId;
use souk_domain::order::{Order, OrderCommand};
use souk_http_shop::{Call, Shop};

use crate::users::address;

/// Places a guest's order with a shipping address. Returns its id and its code.
pub(crate) async fn guest_order(shop: &Shop) -> (String, String) {
    let token = shop.guest_cart("heart").await;
    let mut to = address(false);
    to.as_object_mut().unwrap().retain(|name, _| name != "label" && name != "default");
    let body = json!({"cart": true, "email": "ada@example.org", "shippingAddress": to});
    let order = shop.send(Call::post("/api/orders", &body).cart(&token)).await.done(202);
    (order.text("id"), order.text("code"))
}

// Proves: users.erasure-by-admins
#[tokio::test]
async fn a_guest_is_erased_by_code_and_e_mail_address_and_the_order_cannot_be_shipped() {
    let shop = Shop::stocked().await;
    let (id, code) = guest_order(&shop).await;
    let erase = |code: &str, email: &str| {
        Call::post("/api/orders/lookup/erase", &json!({"code": code, "email": email}))
    };
    shop.send(erase(&code, "bob@example.org")).await.refused(404, "not-found");
    shop.send(erase("SK-0000-0000", "ada@example.org")).await.refused(404, "not-found");
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    shop.as_checkout(&id, OrderCommand::Confirm { paid_outside: true }).await;
    shop.send(erase(&code.to_lowercase(), "Ada@example.org")).await.done(202);
    let order = OrderId(id.parse().unwrap());
    assert!(shop.ports.people.is_erased(&order.guest()).await.unwrap());
    let ship = || Call::post(&format!("/api/orders/{id}/ship"), &json!({"carrier": "post"}));
    shop.admin(ship()).await.refused(409, "order-address-erased");
    shop.send(erase(&code, "ada@example.org")).await.refused(404, "not-found");
    let mut to = address(false);
    to.as_object_mut().unwrap().retain(|name, _| name != "label" && name != "default");
    shop.admin(Call::put(&format!("/api/orders/{id}/shipping-address"), &to)).await.done(200);
    shop.admin(ship()).await.done(200);
}

#[tokio::test]
async fn a_repeated_erasure_with_a_key_gets_the_first_response_and_erases_once() {
    let shop = Shop::stocked().await;
    let cart = shop.guest_cart("heart").await;
    for token in [None, Some(cart)] {
        let (id, code) = guest_order(&shop).await;
        let erase = async |email: &str, key: &str| {
            let body = json!({"code": code, "email": email});
            let call = Call::post("/api/orders/lookup/erase", &body).key(key);
            shop.send(token.iter().fold(call, |call, token| call.cart(token))).await
        };
        let position = erase("ada@example.org", "k").await.done(202).header("x-position").to_owned();
        let stream = Order::stream(OrderId(id.parse().unwrap()));
        let events = shop.event_types(&stream).await;
        assert_eq!(erase("ada@example.org", "k").await.done(202).header("x-position"), position);
        assert_eq!(shop.event_types(&stream).await, events);
        erase("ada@example.org", "other").await.refused(404, "not-found");
        match token {
            // Without a token, the e-mail address is part of the owner of the key.
            None => erase("bob@example.org", "k").await.refused(404, "not-found"),
            Some(_) => erase("bob@example.org", "k").await.refused(422, "idempotency-key-reused"),
        };
    }
}

// Proves: orders.ship-needs-an-address
#[tokio::test]
async fn an_order_of_an_erased_person_cannot_be_shipped_even_before_its_event_order_erased() {
    let shop = Shop::stocked().await;
    let (id, _) = guest_order(&shop).await;
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    shop.as_checkout(&id, OrderCommand::Confirm { paid_outside: true }).await;
    let order = OrderId(id.parse().unwrap());
    shop.ports.people.erase(&order.guest(), shop.ports.clock.now()).await.unwrap();
    let ship = || Call::post(&format!("/api/orders/{id}/ship"), &json!({"carrier": "post"}));
    shop.admin(ship()).await.refused(409, "order-address-erased");
    let loaded = shop.ports.aggregates.orders.load(&Order::stream(order)).await.unwrap().unwrap();
    assert_eq!(loaded.state.status(), Some(souk_domain::order::OrderStatus::Confirmed));
    // An address that the shop sets after the erasure is sealed with a key of its own, so it can be read.
    let to = json!({"name": "Desk 4", "line1": "1 Shop St", "city": "London", "country": "GB"});
    shop.admin(Call::put(&format!("/api/orders/{id}/shipping-address"), &to)).await.done(200);
    shop.admin(ship()).await.done(200);
}

#[tokio::test]
async fn wrong_guesses_from_one_client_address_do_not_delay_an_erasure_from_another() {
    let shop = Shop::stocked().await;
    let (_, code) = guest_order(&shop).await;
    let erase = |email: &str, client_address: &str| {
        let body = json!({"code": code, "email": email});
        shop.send(Call::post("/api/orders/lookup/erase", &body).from(client_address))
    };
    for n in 0..5 {
        erase(&format!("guess{n}@example.org"), "192.0.2.1").await.refused(404, "not-found");
    }
    erase("ada@example.org", "192.0.2.1").await.refused(429, "rate-limited");
    erase("ada@example.org", "198.51.100.1").await.done(202);
}

#[tokio::test]
async fn guessing_order_codes_is_delayed() {
    let shop = Shop::stocked().await;
    let guess = || {
        let body = json!({"code": "SK-0000-0000", "email": "ada@example.org"});
        Call::post("/api/orders/lookup/erase", &body)
    };
    for _ in 0..5 {
        shop.send(guess()).await.refused(404, "not-found");
    }
    shop.send(guess()).await.refused(429, "rate-limited");
}
