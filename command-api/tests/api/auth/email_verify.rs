//! Tests of `POST /api/auth/email/verify`.

use serde_json::json;
use souk_domain::UserId;
use souk_http_shop::{Call, Shop};

use crate::auth::{PASSWORD, is_proven, mailed, signed_up, verify};

// Proves: sign-in.email-verification
#[tokio::test]
async fn an_e_mail_address_is_verified_with_the_mailed_token() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let user = ada.text("id");
    let verify = |token: &str| Call::post("/api/auth/email/verify", &json!({"token": token}));
    shop.send(verify("wrong")).await.refused(422, "validation-failed").at("/token", "unknown-token");
    let token = mailed(&shop, &user);
    shop.as_user(&ada.text("accessToken"), verify(&token)).await.done(204);
    shop.send(verify(&token)).await.refused(422, "validation-failed");
    let stream = souk_domain::user::User::stream(UserId(user.parse().unwrap()));
    let loaded = shop.ports.aggregates.users.load(&stream).await.unwrap().unwrap();
    assert!(loaded.state.account().unwrap().is_verified);
}

// Proves: sign-in.email-verification
#[tokio::test]
async fn a_mailed_token_without_a_sign_in_verifies_the_address_but_proves_no_owner() {
    let shop = Shop::open().await;
    let bob = signed_up(&shop, "bob@example.org").await;
    for (n, is_bobs) in [false, true].into_iter().enumerate() {
        let strangers = signed_up(&shop, &format!("ada{n}@example.org")).await;
        let call = verify(&json!({"token": mailed(&shop, &strangers.text("id"))}));
        if is_bobs {
            shop.as_user(&bob.text("accessToken"), call).await.done(204);
        } else {
            shop.send(call).await.done(204);
        }
        assert!(!is_proven(&shop, &strangers.text("id")).await);
    }
}

#[tokio::test]
async fn the_owner_of_an_address_is_proven_by_a_session_or_password_of_the_account() {
    let shop = Shop::open().await;
    for (n, by_session) in [true, false].into_iter().enumerate() {
        let ada = signed_up(&shop, &format!("ada{n}@example.org")).await;
        let token = mailed(&shop, &ada.text("id"));
        let guessed = json!({"token": token, "password": "wrong horse battery"});
        shop.send(verify(&guessed)).await.refused(401, "unauthenticated");
        if by_session {
            shop.as_user(&ada.text("accessToken"), verify(&json!({"token": token}))).await.done(204);
        } else {
            shop.send(verify(&json!({"token": token, "password": PASSWORD}))).await.done(204);
        }
        assert!(is_proven(&shop, &ada.text("id")).await);
    }
}
