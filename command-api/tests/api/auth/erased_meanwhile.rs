//! Requests that run while their account is erased: data that they store after the erasure is deleted.

use std::net::Ipv4Addr;

use axum::http::HeaderMap;
use serde_json::json;
use souk_command_api::auth::accounts::SignInClient;
use souk_command_api::auth::{accounts, addresses, mailed_tokens, sessions};
use souk_domain::user::event::UserRole;
use souk_domain::{CustomerId, Email, EmailHash, UserId};
use souk_http::Caller;
use souk_http_shop::{Call, Shop};
use souk_sign_in::{Purpose, SignInKind};

use crate::auth::{PASSWORD, sign_up_call, signed_up};

/// Creates and erases an account. Returns its user and the alias of its address.
async fn erased_account(shop: &Shop) -> (UserId, EmailHash) {
    let ada = signed_up(shop, "ada@example.org").await;
    let alias = addresses::alias_of(&shop.ports, &email()).await.unwrap();
    let erase = Call::delete("/api/users/me").json(&json!({"password": PASSWORD}));
    shop.as_user(&ada.text("accessToken"), erase).await.done(202);
    (UserId(ada.text("id").parse().unwrap()), alias)
}

fn email() -> Email {
    Email::parse("ada@example.org").unwrap()
}

async fn has_data(shop: &Shop, user: &CustomerId) -> bool {
    let credentials = &shop.ports.accounts.credentials;
    !credentials.accounts_with_data(std::slice::from_ref(user)).await.unwrap().is_empty()
}

#[tokio::test]
async fn a_mail_to_a_user_who_is_erased_meanwhile_is_deleted() {
    let shop = Shop::open().await;
    let (user, _) = erased_account(&shop).await;
    for purpose in [Purpose::ResetPassword, Purpose::VerifyEmail] {
        let client = Some(Ipv4Addr::LOCALHOST.into());
        mailed_tokens::send(&shop.ports, user, email(), purpose, client).await;
        assert_eq!(shop.mails(&user.to_string()), 0, "{purpose:?}");
        assert!(!has_data(&shop, &user.customer()).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn sign_in_events_and_sessions_of_a_user_who_is_erased_meanwhile_are_deleted() {
    let shop = Shop::open().await;
    let (user, _) = erased_account(&shop).await;
    let caller = Caller::default();
    let client = SignInClient::of(&caller, &HeaderMap::new());
    accounts::record_sign_in(&shop.ports, SignInKind::SignedIn, Some(user), None, &client).await.unwrap();
    assert!(!has_data(&shop, &user.customer()).await);
    let opened = sessions::open(&shop.ports, user, UserRole::Customer).await;
    assert_eq!(opened.err().map(|problem| problem.code()), Some("unauthenticated"));
    assert!(sessions::open_by_code(&shop.ports, user).await.is_err());
    let now = shop.ports.clock.now();
    let sessions = shop.ports.accounts.credentials.open_sessions_of(&user.customer(), now).await.unwrap();
    assert!(sessions.is_empty());
}

#[tokio::test]
async fn a_released_alias_from_an_older_backup_is_not_used_again() {
    let shop = Shop::open().await;
    let (user, alias) = erased_account(&shop).await;
    let name = email().hash(&shop.ports.keys.email_hash);
    let credentials = &shop.ports.accounts.credentials;
    credentials.keep_email(&user.customer(), &name, &alias, None).await.unwrap();
    let next = signed_up(&shop, "ada@example.org").await;
    let of_next = addresses::alias_of(&shop.ports, &email()).await.unwrap();
    assert_ne!(of_next, alias);
    shop.send(sign_up_call("ada@example.org")).await.refused(409, "email-taken");
    let customer = CustomerId::parse(&next.text("id")).unwrap();
    credentials.forget(&user.customer(), &[]).await.unwrap();
    assert!(has_data(&shop, &customer).await);
}
