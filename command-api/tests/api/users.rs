//! Tests of `/api/users/…`, and of the erasure of guests.

use serde_json::{Value, json};
use souk_domain::order::{Order, OrderCommand};
use souk_domain::user::User;
use souk_domain::{OrderId, UserId};

use crate::auth::{PASSWORD, sign_up_call, signed_up};
use crate::shop::{Call, TestShop};

fn address(is_default: bool) -> Value {
    json!({"label": "home", "name": "Ada", "line1": "1 Test St", "city": "London", "postalCode": "N1 1AA",
        "country": "GB", "default": is_default})
}

async fn account(shop: &TestShop, id: &str) -> Option<souk_domain::user::state::Account> {
    let stream = User::stream(UserId(id.parse().unwrap()));
    let loaded = shop.ports.aggregates.users.load(&stream).await.unwrap();
    loaded.and_then(|loaded| loaded.state.account().cloned())
}

#[tokio::test]
async fn an_address_book_has_one_default_address() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = ada.text("accessToken");
    let add = |key: &str| Call::post("/api/users/me/addresses", &address(true)).key(key);
    let one = shop.as_user(&token, add("1")).await.done(201).text("id");
    assert_eq!(shop.as_user(&token, add("1")).await.done(201).text("id"), one);
    let two = shop.as_user(&token, add("2")).await.done(201);
    assert_eq!(two.head("location"), format!("/api/users/me/addresses/{}", two.text("id")));
    assert_eq!(account(&shop, &ada.text("id")).await.unwrap().addresses.len(), 2);
    let default = Call::put(&format!("/api/users/me/addresses/{one}/default"), &json!({}));
    shop.as_user(&token, default).await.done(200);
    let of_ada = account(&shop, &ada.text("id")).await.unwrap();
    assert_eq!(of_ada.default_address.unwrap().to_string(), one);
    let change = Call::put(&format!("/api/users/me/addresses/{one}"), &address(false));
    shop.as_user(&token, change).await.done(200);
    shop.as_user(&token, Call::delete(&format!("/api/users/me/addresses/{one}"))).await.done(200);
    shop.as_user(&token, Call::delete(&format!("/api/users/me/addresses/{one}")))
        .await
        .refused(404, "not-found");
    shop.as_user(&token, Call::delete("/api/users/me/addresses/x")).await.refused(404, "not-found");
}

#[tokio::test]
async fn another_users_address_is_not_found() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let add = Call::post("/api/users/me/addresses", &address(true));
    let id = shop.as_user(&ada.text("accessToken"), add).await.done(201).text("id");
    for call in [
        Call::put(&format!("/api/users/me/addresses/{id}"), &address(true)),
        Call::put(&format!("/api/users/me/addresses/{id}/default"), &json!({})),
        Call::delete(&format!("/api/users/me/addresses/{id}")),
    ] {
        shop.as_user(&bob.text("accessToken"), call).await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn invalid_fields_of_profile_and_preferences_are_named() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = ada.text("accessToken");
    let profile = |body: Value| Call::put("/api/users/me", &body);
    shop.as_user(&token, profile(json!({"name": "Ada L", "phone": "+44"}))).await.done(200);
    shop.as_user(&token, profile(json!({"name": ""})))
        .await
        .refused(422, "validation-failed")
        .at("/name", "invalid-length");
    let preferences = |language: &str| {
        let body = json!({"language": language, "marketing": true, "notifications": {"email": false}});
        Call::put("/api/users/me/preferences", &body)
    };
    let first = shop.as_user(&token, preferences("pt-BR")).await.done(200);
    let same = shop.as_user(&token, preferences("pt-BR")).await.done(200);
    assert_eq!(first.body["revision"], same.body["revision"]);
    for language in ["", "e", "en_GB", "en-", "englishlanguage", "é-GB"] {
        shop.as_user(&token, preferences(language))
            .await
            .refused(422, "validation-failed")
            .at("/language", "invalid-language");
    }
    shop.customer("machine", preferences("en")).await.refused(404, "not-found");
    shop.send(preferences("en")).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_user_who_erases_their_account_is_gone_at_once_and_may_sign_up_again() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let id = ada.text("id");
    let token = ada.text("accessToken");
    let person = UserId(id.parse().unwrap()).person();
    let erase = |password: &str| Call::delete("/api/users/me").json(&json!({"password": password}));
    shop.as_user(&token, erase("wrong horse"))
        .await
        .refused(422, "validation-failed")
        .at("/password", "wrong-password");
    assert!(!shop.ports.people.is_erased(&person).await.unwrap());
    shop.as_user(&token, erase(PASSWORD)).await.done(202);
    assert!(shop.ports.people.is_erased(&person).await.unwrap());
    assert!(account(&shop, &id).await.is_none());
    assert!(shop.last_mail(&id).is_none());
    let validate = shop.as_user(&token, Call::get("/api/auth/validate")).await;
    validate.refused(401, "unauthenticated");
    let login = Call::post("/api/auth/login", &json!({"email": "ada@example.org", "password": PASSWORD}));
    shop.send(login).await.refused(401, "unauthenticated");
    let again = shop.send(sign_up_call("ada@example.org")).await.done(201);
    assert_ne!(again.text("id"), id);
}

#[tokio::test]
async fn only_admins_erase_other_users() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let erase = || Call::delete(&format!("/api/users/{}", ada.text("id")));
    shop.as_user(&ada.text("accessToken"), erase()).await.refused(403, "forbidden");
    shop.send(erase()).await.refused(401, "unauthenticated");
    shop.admin(erase()).await.done(202);
    shop.admin(erase()).await.done(202);
    assert!(account(&shop, &ada.text("id")).await.is_none());
}

#[tokio::test]
async fn an_admin_erases_customers_without_an_account() {
    let shop = TestShop::stocked().await;
    let erase = |id: &str| shop.admin(Call::delete(&format!("/api/users/{id}")));
    let line = json!({"sku": "heart", "quantity": 1});
    let order = json!({"lines": [line], "customerId": "erp-7"});
    shop.admin(Call::post("/api/orders", &order)).await.done(202);
    shop.customer("erp-8", Call::post("/api/cart/items", &line)).await.done(200);
    for id in ["erp-7", "erp-8"] {
        erase(id).await.done(202);
        erase(id).await.done(202);
    }
}

/// Places a guest's order with a shipping address. Returns its id and its code.
pub(crate) async fn guest_order(shop: &TestShop) -> (String, String) {
    let item = json!({"sku": "heart", "quantity": 1});
    let token =
        shop.send(Call::post("/api/cart/items", &item)).await.done(200).head("x-cart-token").to_owned();
    let mut to = address(false);
    to.as_object_mut().unwrap().retain(|name, _| name != "label" && name != "default");
    let body = json!({"cart": true, "email": "ada@example.org", "shippingAddress": to});
    let order = shop.send(Call::post("/api/orders", &body).cart(&token)).await.done(202);
    (order.text("id"), order.text("code"))
}

#[tokio::test]
async fn a_guest_is_erased_by_code_and_e_mail_address_and_the_order_cannot_be_shipped() {
    let shop = TestShop::stocked().await;
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
async fn an_order_of_an_erased_person_cannot_be_shipped_even_before_its_event_order_erased() {
    let shop = TestShop::stocked().await;
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
    let shop = TestShop::stocked().await;
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
    let shop = TestShop::stocked().await;
    let guess = || {
        let body = json!({"code": "SK-0000-0000", "email": "ada@example.org"});
        Call::post("/api/orders/lookup/erase", &body)
    };
    for _ in 0..5 {
        shop.send(guess()).await.refused(404, "not-found");
    }
    shop.send(guess()).await.refused(429, "rate-limited");
}
