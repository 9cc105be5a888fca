//! Tests of `POST /api/auth/password/reset` and `…/confirm`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::auth::oidc::sign_in_through;
use crate::auth::{
    PASSWORD, confirm_call, is_proven, login_call, mailed, mailed_after, refused_token, signed_up, validate,
    verify,
};

// Proves: sign-in.password-reset
#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail_once() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let user = ada.text("id");
    let first = mailed(&shop, &user);
    let reset = |email: &str| Call::post("/api/auth/password/reset", &json!({"email": email}));
    let unknown = shop.send(reset("bob@example.org")).await.done(202);
    let known = shop.send(reset("ada@example.org")).await.done(202);
    assert_eq!(unknown.body, known.body);
    let token = mailed_after(&shop, &user, &first).await;
    shop.send(confirm_call(&token, "short"))
        .await
        .refused(422, "validation-failed")
        .at("/password", "weak-password");
    refused_token(&shop, confirm_call(&first, "battery horse correct")).await;
    shop.send(confirm_call(&token, "battery horse correct")).await.done(204);
    refused_token(&shop, confirm_call(&token, "battery horse correcd")).await;
    validate(&shop, &ada.text("accessToken")).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
}

/// Resets a password by e-mail, as the owner of the address does.
async fn reset(shop: &Shop, user: &str, password: &str) {
    let mails = shop.mails(user);
    let request = json!({"email": "ada@example.org"});
    shop.send(Call::post("/api/auth/password/reset", &request)).await.done(202);
    shop.until_mails(user, mails + 1).await;
    let confirm = json!({"token": mailed(shop, user), "password": password});
    shop.send(Call::post("/api/auth/password/reset/confirm", &confirm)).await.done(204);
}

#[tokio::test]
async fn a_password_reset_takes_an_account_from_the_stranger_who_created_it() {
    let shop = Shop::open().await;
    let strangers = signed_up(&shop, "ada@example.org").await;
    let user = strangers.text("id");
    sign_in_through(&shop, "work", "7|ada@example.org", Some(&strangers.text("accessToken"))).await.done(200);
    shop.send(verify(&json!({"token": mailed(&shop, &user)}))).await.done(204);
    reset(&shop, &user, "battery horse correct").await;
    assert!(is_proven(&shop, &user).await, "a reset by e-mail proves the owner of the address");
    validate(&shop, &strangers.text("accessToken")).await.refused(401, "unauthenticated");
    let refresh = json!({"refreshToken": strangers.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", PASSWORD)).await.refused(401, "unauthenticated");
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
    let owners = shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
    assert_eq!(owners.text("id"), user);
}

#[tokio::test]
async fn a_password_reset_keeps_linked_identities_if_the_address_is_proven() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = json!({"token": mailed(&shop, &ada.text("id"))});
    shop.as_user(&ada.text("accessToken"), verify(&token)).await.done(204);
    sign_in_through(&shop, "work", "7|ada@example.org", Some(&ada.text("accessToken"))).await.done(200);
    reset(&shop, &ada.text("id"), "battery horse correct").await;
    let again = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert_eq!(again.text("id"), ada.text("id"));
}
