//! `/api/auth/email/verify`, and an account that a stranger made with somebody else's address.

use serde_json::{Value, json};
use souk_domain::UserId;
use souk_domain::user::User;

use crate::auth::{PASSWORD, login_call, mailed, signed_up, validate};
use crate::providers::through;
use crate::shop::{Call, TestShop};

fn verify(body: &Value) -> Call {
    Call::post("/api/auth/email/verify", body)
}

async fn is_verified(shop: &TestShop, user: &str) -> bool {
    let stream = User::stream(UserId(user.parse().unwrap()));
    shop.shop.accounts.users.load(&stream).await.unwrap().unwrap().state.account().unwrap().is_verified
}

/// Resets a password by mail, as the owner of the address does.
async fn reset(shop: &TestShop, user: &str, password: &str) {
    let mails = shop.mails(user);
    let asked = json!({"email": "ada@example.org"});
    shop.send(Call::post("/api/auth/password/reset", &asked)).await.done(202);
    shop.until_mails(user, mails + 1).await;
    let confirm = json!({"token": mailed(shop, user), "password": password});
    shop.send(Call::post("/api/auth/password/reset/confirm", &confirm)).await.done(204);
}

#[tokio::test]
async fn a_mailed_token_alone_does_not_verify_the_account_of_a_stranger() {
    let shop = TestShop::open().await;
    let strangers = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let token = mailed(&shop, &strangers.text("id"));
    let alone = shop.send(verify(&json!({"token": token}))).await.refused(401, "unauthenticated");
    assert!(alone.text("detail").contains("POST /api/auth/password/reset"), "{:?}", alone.body);
    let of_bob = shop.as_user(&bob.text("accessToken"), verify(&json!({"token": token}))).await;
    of_bob.refused(401, "unauthenticated");
    let guessed = json!({"token": token, "password": "wrong horse battery"});
    shop.send(verify(&guessed)).await.refused(401, "unauthenticated");
    assert!(!is_verified(&shop, &strangers.text("id")).await);
}

#[tokio::test]
async fn a_refused_token_verifies_later_by_the_session_or_the_password_of_its_account() {
    let shop = TestShop::open().await;
    for (n, by_session) in [true, false].into_iter().enumerate() {
        let ada = signed_up(&shop, &format!("ada{n}@example.org")).await;
        let token = mailed(&shop, &ada.text("id"));
        shop.send(verify(&json!({"token": token}))).await.refused(401, "unauthenticated");
        if by_session {
            shop.as_user(&ada.text("accessToken"), verify(&json!({"token": token}))).await.done(204);
        } else {
            shop.send(verify(&json!({"token": token, "password": PASSWORD}))).await.done(204);
        }
        assert!(is_verified(&shop, &ada.text("id")).await);
    }
}

#[tokio::test]
async fn a_reset_by_mail_takes_an_account_from_the_stranger_who_made_it() {
    let shop = TestShop::open().await;
    let strangers = signed_up(&shop, "ada@example.org").await;
    let user = strangers.text("id");
    through(&shop, "work", "7|ada@example.org", Some(&strangers.text("accessToken"))).await.done(200);
    reset(&shop, &user, "battery horse correct").await;
    assert!(is_verified(&shop, &user).await, "who reads the mailbox has the address");
    validate(&shop, &strangers.text("accessToken")).await.refused(401, "unauthenticated");
    let refresh = json!({"refreshToken": strangers.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", PASSWORD)).await.refused(401, "unauthenticated");
    through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
    let owners = shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
    assert_eq!(owners.text("id"), user);
}

#[tokio::test]
async fn a_reset_leaves_the_identities_of_an_account_with_a_verified_address() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = json!({"token": mailed(&shop, &ada.text("id"))});
    shop.as_user(&ada.text("accessToken"), verify(&token)).await.done(204);
    through(&shop, "work", "7|ada@example.org", Some(&ada.text("accessToken"))).await.done(200);
    reset(&shop, &ada.text("id"), "battery horse correct").await;
    let again = through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert_eq!(again.text("id"), ada.text("id"));
}
