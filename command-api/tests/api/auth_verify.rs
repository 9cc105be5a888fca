//! Tests of `/api/auth/email/verify`, and of accounts that a stranger created with somebody else's address.

use serde_json::{Value, json};
use souk_domain::UserId;
use souk_domain::user::User;

use crate::auth::{PASSWORD, login_call, mailed, signed_up, validate};
use crate::providers::sign_in_through;
use crate::shop::{Call, TestShop};

fn verify(body: &Value) -> Call {
    Call::post("/api/auth/email/verify", body)
}

/// Returns true if the owner of the account's address is proven. Asserts that the address is verified.
async fn is_proven(shop: &TestShop, user: &str) -> bool {
    let loaded =
        shop.ports.aggregates.users.load(&User::stream(UserId(user.parse().unwrap()))).await.unwrap();
    let state = loaded.unwrap().state;
    let account = state.account().unwrap();
    assert!(account.is_verified);
    account.is_proven
}

/// Resets a password by e-mail, as the owner of the address does.
async fn reset(shop: &TestShop, user: &str, password: &str) {
    let mails = shop.mails(user);
    let request = json!({"email": "ada@example.org"});
    shop.send(Call::post("/api/auth/password/reset", &request)).await.done(202);
    shop.until_mails(user, mails + 1).await;
    let confirm = json!({"token": mailed(shop, user), "password": password});
    shop.send(Call::post("/api/auth/password/reset/confirm", &confirm)).await.done(204);
}

#[tokio::test]
async fn a_mailed_token_without_a_sign_in_verifies_the_address_but_proves_no_owner() {
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn a_password_reset_takes_an_account_from_the_stranger_who_created_it() {
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = json!({"token": mailed(&shop, &ada.text("id"))});
    shop.as_user(&ada.text("accessToken"), verify(&token)).await.done(204);
    sign_in_through(&shop, "work", "7|ada@example.org", Some(&ada.text("accessToken"))).await.done(200);
    reset(&shop, &ada.text("id"), "battery horse correct").await;
    let again = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert_eq!(again.text("id"), ada.text("id"));
}
