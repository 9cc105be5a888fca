//! Requests that are under way while their account is erased: what they keep behind the erasure does not stay.

use std::net::Ipv4Addr;

use axum::http::HeaderMap;
use serde_json::json;
use souk_command_api::auth::accounts::{self, Client};
use souk_command_api::auth::{addresses, mailed, sessions};
use souk_domain::user::event::UserRole;
use souk_domain::{CustomerId, Email, EmailHash, UserId};
use souk_http::Caller;
use souk_sign_in::{Purpose, SignInKind};

use crate::auth::{PASSWORD, sign_up_call, signed_up};
use crate::shop::{Call, TestShop};

/// An account that was there a moment ago, and the alias that its address had.
async fn erased(shop: &TestShop) -> (UserId, EmailHash) {
    let ada = signed_up(shop, "ada@example.org").await;
    let alias = addresses::alias_of(&shop.ports, &email()).await.unwrap();
    let erase = Call::delete("/api/users/me").json(&json!({"password": PASSWORD}));
    shop.as_user(&ada.text("accessToken"), erase).await.done(202);
    (UserId(ada.text("id").parse().unwrap()), alias)
}

fn email() -> Email {
    Email::parse("ada@example.org").unwrap()
}

async fn is_anything_kept(shop: &TestShop, user: &CustomerId) -> bool {
    let credentials = &shop.ports.accounts.credentials;
    !credentials.accounts_with_data(std::slice::from_ref(user)).await.unwrap().is_empty()
}

#[tokio::test]
async fn no_mail_stays_of_somebody_who_is_erased_while_it_is_written() {
    let shop = TestShop::open().await;
    let (user, _) = erased(&shop).await;
    for purpose in [Purpose::ResetPassword, Purpose::VerifyEmail] {
        let client = Some(Ipv4Addr::LOCALHOST.into());
        mailed::send(&shop.ports, user, email(), purpose, client).await;
        assert_eq!(shop.mails(&user.to_string()), 0, "{purpose:?}");
        assert!(!is_anything_kept(&shop, &user.customer()).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn no_sign_in_and_no_session_stays_of_somebody_who_is_erased_meanwhile() {
    let shop = TestShop::open().await;
    let (user, _) = erased(&shop).await;
    let caller = Caller::default();
    let client = Client::of(&caller, &HeaderMap::new());
    accounts::note(&shop.ports, SignInKind::SignedIn, Some(user), None, &client).await.unwrap();
    assert!(!is_anything_kept(&shop, &user.customer()).await);
    let opened = sessions::open(&shop.ports, user, UserRole::Customer).await;
    assert_eq!(opened.err().map(|problem| problem.code()), Some("unauthenticated"));
    assert!(sessions::open_by_code(&shop.ports, user).await.is_err());
    let now = shop.ports.clock.now();
    let families = shop.ports.accounts.credentials.families_of(&user.customer(), now).await.unwrap();
    assert!(families.is_empty());
}

#[tokio::test]
async fn an_alias_that_comes_back_with_older_files_is_given_to_nobody() {
    let shop = TestShop::open().await;
    let (user, alias) = erased(&shop).await;
    let name = email().hash(&shop.ports.keys.email_hash);
    let credentials = &shop.ports.accounts.credentials;
    credentials.keep_email(&user.customer(), &name, &alias, None).await.unwrap();
    let next = signed_up(&shop, "ada@example.org").await;
    let of_next = addresses::alias_of(&shop.ports, &email()).await.unwrap();
    assert_ne!(of_next, alias);
    shop.send(sign_up_call("ada@example.org")).await.refused(409, "email-taken");
    let customer = CustomerId::parse(&next.text("id")).unwrap();
    credentials.forget(&user.customer(), &[]).await.unwrap();
    assert!(is_anything_kept(&shop, &customer).await);
}
