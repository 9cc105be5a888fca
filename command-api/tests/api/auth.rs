//! Tests of `/api/auth/…`: sign-up, sign-in, sessions, sign-in events and keys.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::user::command::Registration;
use souk_domain::user::event::UserRole;
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, Email, EmailHash, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};
use souk_http::Role;
use souk_sign_in::Password;
use souk_sign_in::password::{Cost, Hashing};

use crate::shop::{Call, TestResponse, TestShop};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn sign_up_call(email: &str) -> Call {
    Call::post("/api/auth/signup", &json!({"email": email, "password": PASSWORD, "name": "Ada"}))
}

pub(crate) async fn signed_up(shop: &TestShop, email: &str) -> TestResponse {
    shop.send(sign_up_call(email)).await.done(201)
}

pub(crate) fn login_call(email: &str, password: &str) -> Call {
    Call::post("/api/auth/login", &json!({"email": email, "password": password}))
}

async fn refresh(shop: &TestShop, token: &str) -> TestResponse {
    shop.send(Call::post("/api/auth/refresh", &json!({"refreshToken": token}))).await
}

pub(crate) async fn validate(shop: &TestShop, token: &str) -> TestResponse {
    shop.as_user(token, Call::get("/api/auth/validate")).await
}

async fn audit(shop: &TestShop, token: &str) -> Vec<String> {
    let response = shop.as_user(token, Call::get("/api/auth/audit")).await.done(200);
    let items = response.body["items"].as_array().unwrap();
    items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

/// Returns the token in the latest e-mail to a user.
pub(crate) fn mailed(shop: &TestShop, user: &str) -> String {
    let mail = shop.last_mail(user).unwrap();
    mail.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned()
}

#[tokio::test]
async fn a_user_signs_up_and_signs_in_again() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, " Ada@Example.org").await;
    assert_eq!((ada.body["tokenType"].as_str(), ada.body["expiresIn"].as_u64()), (Some("Bearer"), Some(600)));
    assert_eq!(ada.head("cache-control"), "no-store");
    let valid = validate(&shop, &ada.text("accessToken")).await.done(200);
    assert_eq!(valid.text("subject"), ada.text("id"));
    assert_eq!(valid.body["roles"], json!(["customer"]));
    shop.send(sign_up_call("ada@example.org")).await.refused(409, "email-taken");
    let again = shop.send(login_call("ADA@example.org", PASSWORD)).await.done(200);
    assert_eq!(again.text("id"), ada.text("id"));
    assert_eq!(audit(&shop, &ada.text("accessToken")).await, ["signed-in", "signed-up"]);
}

#[tokio::test]
async fn invalid_fields_of_a_new_account_are_named() {
    let shop = TestShop::open().await;
    let good = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
    let long = "x".repeat(1_000_000);
    for (field, value, code) in [
        ("email", "ada", "invalid-email"),
        ("email", "ad\u{430}@example.org", "invalid-email"),
        ("email", "a\u{0}da@example.org", "invalid-email"),
        ("password", "short", "weak-password"),
        ("password", "password1234", "weak-password"),
        ("password", long.as_str(), "weak-password"),
        ("name", " ", "invalid-length"),
        ("name", "A\u{7}da", "invalid-text"),
    ] {
        let mut body = good.clone();
        body[field] = json!(value);
        let response = shop.send(Call::post("/api/auth/signup", &body)).await;
        let response = response.refused(422, "validation-failed").at(&format!("/{field}"), code);
        assert!(value.len() < 5 || !response.body.to_string().contains(value), "{}", response.body);
    }
    for field in ["email", "password", "name"] {
        let mut body = good.clone();
        body[field] = json!(1);
        shop.send(Call::post("/api/auth/signup", &body)).await.refused(422, "validation-failed");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_response() {
    let shop = TestShop::open().await;
    signed_up(&shop, "ada@example.org").await;
    let wrong = shop.send(login_call("ada@example.org", "wrong horse battery")).await;
    let unknown = shop.send(login_call("bob@example.org", "wrong horse battery")).await;
    let body_of = |response: TestResponse| {
        let mut body = response.refused(401, "unauthenticated").body;
        body["correlationId"] = Value::Null;
        body
    };
    assert_eq!(body_of(wrong), body_of(unknown));
    // A password is compared in both cases, so that both take the same time.
    assert_eq!(shop.comparisons.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn after_five_failed_sign_ins_the_delay_grows_with_and_without_an_account() {
    let shop = TestShop::open().await;
    signed_up(&shop, "ada@example.org").await;
    for email in ["ada@example.org", "bob@example.org"] {
        for _ in 0..5 {
            shop.send(login_call(email, "wrong horse battery")).await.refused(401, "unauthenticated");
        }
        let refused = shop.send(login_call(email, PASSWORD)).await.refused(429, "rate-limited");
        assert_eq!(refused.head("retry-after"), "1");
        shop.pass(1);
        shop.send(login_call(email, "wrong horse battery")).await.refused(401, "unauthenticated");
        let refused = shop.send(login_call(email, PASSWORD)).await.refused(429, "rate-limited");
        assert_eq!(refused.head("retry-after"), "2");
    }
    shop.pass(2);
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    shop.send(login_call("ada@example.org", "wrong horse battery")).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_password_hash_with_an_older_cost_is_replaced_at_sign_in() {
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_one() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    shop.pass(601);
    shop.pass(10);
    validate(&shop, &ada.text("accessToken")).await.refused(401, "unauthenticated");
    let next = refresh(&shop, &ada.text("refreshToken")).await.done(200);
    validate(&shop, &next.text("accessToken")).await.done(200);
    refresh(&shop, &next.text("refreshToken")).await.done(200);
    for token in ["", "x", &"A".repeat(100), &"A".repeat(100_000)] {
        refresh(&shop, token).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_repeated_refresh_token_ends_its_session() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let next = refresh(&shop, &ada.text("refreshToken")).await.done(200);
    shop.pass(11);
    refresh(&shop, &ada.text("refreshToken")).await.refused(401, "unauthenticated");
    validate(&shop, &next.text("accessToken")).await.refused(401, "unauthenticated");
    refresh(&shop, &next.text("refreshToken")).await.refused(401, "unauthenticated");
    let again = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    assert_eq!(audit(&shop, &again.text("accessToken")).await[1], "token-reused");
}

#[tokio::test]
async fn two_simultaneous_refreshes_with_one_token_both_succeed() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = ada.text("refreshToken");
    let (one, two) = tokio::join!(refresh(&shop, &token), refresh(&shop, &token));
    refresh(&shop, &one.done(200).text("refreshToken")).await.done(200);
    refresh(&shop, &two.done(200).text("refreshToken")).await.done(200);
}

#[tokio::test]
async fn a_sign_out_ends_one_session_and_everywhere_ends_all() {
    let shop = TestShop::open().await;
    let first = signed_up(&shop, "ada@example.org").await;
    let second = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let third = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let logout = |token: &str, everywhere: bool| {
        Call::post("/api/auth/logout", &json!({"refreshToken": token, "everywhere": everywhere}))
    };
    shop.send(logout(&first.text("refreshToken"), false)).await.done(204);
    validate(&shop, &first.text("accessToken")).await.refused(401, "unauthenticated");
    refresh(&shop, &first.text("refreshToken")).await.refused(401, "unauthenticated");
    validate(&shop, &second.text("accessToken")).await.done(200);
    shop.send(logout(&second.text("refreshToken"), true)).await.done(204);
    validate(&shop, &third.text("accessToken")).await.refused(401, "unauthenticated");
    refresh(&shop, &third.text("refreshToken")).await.refused(401, "unauthenticated");
    shop.send(logout("no token", true)).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn the_token_of_an_ended_session_still_signs_out_everywhere() {
    let shop = TestShop::open().await;
    let first = signed_up(&shop, "ada@example.org").await;
    let second = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let logout = |everywhere: bool| {
        let body = json!({"refreshToken": first.text("refreshToken"), "everywhere": everywhere});
        Call::post("/api/auth/logout", &body)
    };
    shop.send(logout(false)).await.done(204);
    shop.send(logout(false)).await.done(204);
    validate(&shop, &second.text("accessToken")).await.done(200);
    shop.send(logout(true)).await.done(204);
    validate(&shop, &second.text("accessToken")).await.refused(401, "unauthenticated");
    refresh(&shop, &second.text("refreshToken")).await.refused(401, "unauthenticated");
    shop.send(logout(true)).await.done(204);
    let third = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let trail = audit(&shop, &third.text("accessToken")).await;
    assert_eq!(trail, ["signed-in", "signed-out", "signed-out", "signed-in", "signed-up"]);
}

#[tokio::test]
async fn a_refresh_during_a_sign_out_gives_no_working_tokens() {
    let shop = TestShop::open().await;
    for n in 0..20 {
        let ada = signed_up(&shop, &format!("ada{n}@example.org")).await;
        let token = ada.text("refreshToken");
        let logout = Call::post("/api/auth/logout", &json!({"refreshToken": token}));
        let (out, next) = tokio::join!(shop.send(logout), refresh(&shop, &token));
        assert_eq!(out.status.as_u16(), 204);
        if next.status.as_u16() == 200 {
            validate(&shop, &next.text("accessToken")).await.refused(401, "unauthenticated");
            refresh(&shop, &next.text("refreshToken")).await.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn an_e_mail_address_is_verified_with_the_mailed_token() {
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn sign_in_events_are_listed_for_their_user_and_for_admins() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let of_ada = Call::get(&format!("/api/auth/audit?userId={}", ada.text("id")));
    shop.as_user(&bob.text("accessToken"), of_ada).await.refused(403, "forbidden");
    shop.send(Call::get("/api/auth/audit")).await.refused(401, "unauthenticated");
    let wrong = json!({"email": "ada@example.org", "password": "battery horse correct"});
    shop.send(Call::post("/api/auth/login", &wrong)).await.refused(401, "unauthenticated");
    let own = shop.as_user(&ada.text("accessToken"), Call::get("/api/auth/audit")).await.done(200);
    let kinds: Vec<_> = own.body["items"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["failed", "signed-up"], "the user sees that somebody guesses the password");
    let page = shop.admin(Call::get("/api/auth/audit?limit=2")).await.done(200);
    assert_eq!(page.body["items"].as_array().unwrap().len(), 2);
    let cursor = page.text("nextCursor");
    let rest = shop.admin(Call::get(&format!("/api/auth/audit?cursor={cursor}"))).await.done(200);
    assert_eq!((rest.body["items"].as_array().unwrap().len(), &rest.body["nextCursor"]), (1, &Value::Null));
}

#[tokio::test]
async fn public_keys_are_published_and_an_access_token_names_its_key() {
    let shop = TestShop::open().await;
    let keys = shop.send(Call::get("/.well-known/jwks.json")).await.done(200);
    let key = &keys.body["keys"][0];
    assert_eq!((key["kty"].as_str(), key["crv"].as_str()), (Some("OKP"), Some("Ed25519")));
    assert!(!keys.body.to_string().contains("\"d\""), "{}", keys.body);
    let token = shop.token("ada", Role::Customer);
    let head = token.split('.').next().unwrap();
    let head = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, head).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    assert_eq!(head["kid"], key["kid"]);
}

#[tokio::test]
async fn the_log_contains_no_readable_personal_data_of_a_user() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let stream = souk_domain::user::User::stream(UserId(ada.text("id").parse().unwrap()));
    let email = Email::parse("ada@example.org").unwrap();
    let alias = souk_command_api::auth::addresses::alias_of(&shop.ports, &email).await.unwrap();
    let claim = Claim::of_email(&alias);
    let log = shop.log.lock().unwrap();
    let events = [log.stream(&stream), log.stream(&claim)].concat();
    assert!(events.len() >= 2);
    let text: String =
        events.iter().map(|event| String::from_utf8_lossy(&event.event.data).into_owned()).collect();
    assert!(!text.contains("Ada") && !text.contains("example.org"), "{text}");
}

/// Creates an account as in logs from before 2026-11-30: with the keyed hash of its address in place of an
/// alias.
async fn sign_up_with_hash(shop: &TestShop, email: &str) -> (UserId, EmailHash) {
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
    let shop = TestShop::open().await;
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
