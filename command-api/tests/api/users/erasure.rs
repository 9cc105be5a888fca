//! Tests of `DELETE /api/users/me` and `DELETE /api/users/{id}`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use souk_command_api::Ports;
use souk_command_api::users::erasure::{erase_customer, erase_guest};
use souk_domain::{CustomerId, UserId};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::testkit::KeysInMemory;
use souk_http_shop::{Call, Shop, draft, order_id};
use uuid::Uuid;

use crate::auth::{PASSWORD, sign_up_call, signed_up};
use crate::users::account;

// Proves: users.erasure-at-once
#[tokio::test]
async fn a_user_who_erases_their_account_is_gone_at_once_and_may_sign_up_again() {
    let shop = Shop::open().await;
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

// Proves: users.erasure-by-admins
#[tokio::test]
async fn only_admins_erase_other_users() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let erase = || Call::delete(&format!("/api/users/{}", ada.text("id")));
    shop.as_user(&ada.text("accessToken"), erase()).await.refused(403, "forbidden");
    shop.send(erase()).await.refused(401, "unauthenticated");
    shop.admin(erase()).await.done(202);
    shop.admin(erase()).await.done(202);
    assert!(account(&shop, &ada.text("id")).await.is_none());
}

// Proves: users.erasure-by-admins
#[tokio::test]
async fn an_admin_erases_customers_without_an_account() {
    let shop = Shop::stocked().await;
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

/// Returns true if the sweep of erasures was woken since the last call.
async fn is_sweep_woken(ports: &Ports) -> bool {
    tokio::time::timeout(Duration::ZERO, ports.erased.notified()).await.is_ok()
}

#[tokio::test]
async fn the_sweep_is_woken_only_if_a_person_is_erased() {
    let shop = Shop::open().await;
    shop.append_order(draft(1, None, &["A1"])).await;
    shop.append_order(draft(2, Some("ada"), &["A1"])).await;
    let ada = CustomerId::parse("ada").unwrap();
    let origin = Origin::new(Uuid::nil(), Actor::new("test", "test"), Uuid::nil().into());
    let broken = Ports { people: Arc::new(KeysInMemory::read_only()), ..shop.ports.clone() };
    let failed = erase_customer(&broken, &ada, &origin).await;
    assert_eq!(failed.map_err(|problem| problem.code()), Err("keys-unavailable"));
    assert!(!is_sweep_woken(&shop.ports).await, "the customer still has a key");
    let absent = erase_guest(&shop.ports, order_id(2), &origin).await;
    assert_eq!(absent.map_err(|problem| problem.code()), Err("not-found"));
    assert!(!is_sweep_woken(&shop.ports).await, "the order has no guest");
    erase_guest(&shop.ports, order_id(1), &origin).await.unwrap();
    assert!(is_sweep_woken(&shop.ports).await);
    erase_customer(&shop.ports, &ada, &origin).await.unwrap();
    assert!(is_sweep_woken(&shop.ports).await);
}

#[tokio::test]
async fn a_repeated_erasure_of_a_guest_destroys_a_key_that_was_left() {
    let shop = Shop::open().await;
    shop.append_order(draft(1, None, &["A1"])).await;
    let origin = Origin::new(Uuid::nil(), Actor::new("test", "test"), Uuid::nil().into());
    let broken = Ports { people: Arc::new(KeysInMemory::read_only()), ..shop.ports.clone() };
    let failed = erase_guest(&broken, order_id(1), &origin).await;
    assert_eq!(failed.map_err(|problem| problem.code()), Err("keys-unavailable"));
    let guest = order_id(1).guest();
    assert!(!shop.ports.people.is_erased(&guest).await.unwrap());
    let position = erase_guest(&shop.ports, order_id(1), &origin).await.unwrap();
    assert!(shop.ports.people.is_erased(&guest).await.unwrap());
    assert_eq!(erase_guest(&shop.ports, order_id(1), &origin).await.unwrap(), position);
}
