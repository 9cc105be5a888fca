//! Tests of `POST /api/auth/login`.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::user::command::Registration;
use souk_domain::user::event::UserRole;
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, Email, EmailHash, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};
use souk_http_shop::{Call, Response, Shop};
use souk_sign_in::Password;
use souk_sign_in::password::{Cost, Hashing};

use crate::auth::{PASSWORD, login_call, sign_up_call, signed_up};

// Proves: sign-in.accounts-are-not-revealed
#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_response() {
    let shop = Shop::open().await;
    signed_up(&shop, "ada@example.org").await;
    let wrong = shop.send(login_call("ada@example.org", "wrong horse battery")).await;
    let unknown = shop.send(login_call("bob@example.org", "wrong horse battery")).await;
    let body_of = |response: Response| {
        let mut body = response.refused(401, "unauthenticated").body;
        body["correlationId"] = Value::Null;
        body
    };
    assert_eq!(body_of(wrong), body_of(unknown));
    // A password is compared in both cases, so that both take the same time.
    assert_eq!(shop.comparisons.load(Ordering::Relaxed), 2);
}

// Proves: sign-in.growing-delays
#[tokio::test]
async fn after_five_failed_sign_ins_the_delay_grows_with_and_without_an_account() {
    let shop = Shop::open().await;
    signed_up(&shop, "ada@example.org").await;
    for email in ["ada@example.org", "bob@example.org"] {
        for _ in 0..5 {
            shop.send(login_call(email, "wrong horse battery")).await.refused(401, "unauthenticated");
        }
        let refused = shop.send(login_call(email, PASSWORD)).await.refused(429, "rate-limited");
        assert_eq!(refused.header("retry-after"), "1");
        shop.pass(1);
        shop.send(login_call(email, "wrong horse battery")).await.refused(401, "unauthenticated");
        let refused = shop.send(login_call(email, PASSWORD)).await.refused(429, "rate-limited");
        assert_eq!(refused.header("retry-after"), "2");
    }
    shop.pass(2);
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    shop.send(login_call("ada@example.org", "wrong horse battery")).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_password_hash_with_an_older_cost_is_replaced_at_sign_in() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let credentials = &shop.ports.accounts.credentials;
    let customer = CustomerId::parse(&ada.text("id")).unwrap();
    let cheap = Hashing::new(Cost { memory_kib: 32, passes: 1 }).unwrap();
    let old = cheap.hash(&Password::typed(PASSWORD.to_owned())).unwrap();
    credentials.set_password(&customer, &old).await.unwrap();
    let stored = async || credentials.password(&customer).await.unwrap().unwrap();
    shop.send(login_call("ada@example.org", "not the password")).await.refused(401, "unauthenticated");
    assert_eq!(stored().await, old, "a wrong password changes nothing");
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let new = stored().await;
    assert!(old.contains("m=32,") && new.contains("m=64,"), "{old} {new}");
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    assert_eq!(stored().await, new);
}

/// Creates an account as in logs from before 2026-11-30: with the keyed hash of its address in place of an
/// alias.
async fn sign_up_with_hash(shop: &Shop, email: &str) -> (UserId, EmailHash) {
    let ports = &shop.ports;
    let user = UserId(ports.clock.new_id());
    let email = Email::parse(email).unwrap();
    let hash = email.hash(&ports.keys.email_hash);
    let correlation = CorrelationId::parse("then").unwrap();
    let origin = || Origin::new(ports.clock.new_id(), Actor::new("test", "then"), correlation.clone());
    let claim = ClaimCommand::Claim { owner: User::stream(user).to_string(), epoch: 0 };
    ports
        .aggregates
        .claims
        .execute(CommandRequest::new(Claim::of_email(&hash), claim, origin()))
        .await
        .unwrap();
    let phc = ports.accounts.passwords.hash(Password::typed(PASSWORD.to_owned())).await.unwrap();
    ports.accounts.credentials.set_password(&user.customer(), &phc).await.unwrap();
    let registration = Registration {
        user,
        email,
        email_hash: hash.clone(),
        name: "Ada".to_owned(),
        is_verified: true,
        role: UserRole::Customer,
    };
    let register = UserCommand::Register(Box::new(registration));
    ports
        .aggregates
        .users
        .execute(CommandRequest::new(User::stream(user), register, origin()))
        .await
        .unwrap();
    (user, hash)
}

#[tokio::test]
async fn an_account_of_an_older_log_signs_in_and_the_next_with_its_address_has_an_alias() {
    let shop = Shop::open().await;
    let (user, hash) = sign_up_with_hash(&shop, "ada@example.org").await;
    let ada = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    assert_eq!(ada.text("id"), user.to_string());
    shop.send(sign_up_call("ada@example.org")).await.refused(409, "email-taken");
    let gone = Call::delete("/api/users/me").json(&json!({"password": PASSWORD}));
    shop.as_user(&ada.text("accessToken"), gone).await.done(202);
    let next = signed_up(&shop, "ada@example.org").await;
    let next = UserId(next.text("id").parse().unwrap());
    let loaded = shop.ports.aggregates.users.load(&User::stream(next)).await.unwrap().unwrap();
    assert_ne!(loaded.state.email_hash(), Some(&hash));
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
}
