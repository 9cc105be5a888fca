//! Tests of `DELETE /api/users/me` and `DELETE /api/users/{id}`.

use serde_json::json;
use souk_domain::UserId;
use souk_http_shop::{Call, Shop};

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
