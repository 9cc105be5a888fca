//! Tests of `POST /api/auth/signup`.

use serde_json::json;
use souk_domain::claim::Claim;
use souk_domain::{Email, UserId};
use souk_http_shop::{Call, Shop};

use crate::auth::{PASSWORD, audit, login_call, sign_up_call, signed_up, validate};

// Proves: sign-in.sign-up
// Proves: sign-in.one-account-per-address
#[tokio::test]
async fn a_user_signs_up_and_signs_in_again() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, " Ada@Example.org").await;
    assert_eq!((ada.body["tokenType"].as_str(), ada.body["expiresIn"].as_u64()), (Some("Bearer"), Some(600)));
    assert_eq!(ada.header("cache-control"), "no-store");
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
    let shop = Shop::open().await;
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

// Proves: users.sealed-personal-data
#[tokio::test]
async fn the_log_contains_no_readable_personal_data_of_a_user() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let stream = souk_domain::user::User::stream(UserId(ada.text("id").parse().unwrap()));
    let email = Email::parse("ada@example.org").unwrap();
    let alias = souk_command_api::auth::addresses::alias_of(&shop.ports, &email).await.unwrap();
    let claim = Claim::of_email(&alias);
    let events = [shop.events(&stream).await, shop.events(&claim).await].concat();
    assert!(events.len() >= 2);
    let text: String =
        events.iter().map(|event| String::from_utf8_lossy(&event.event.data).into_owned()).collect();
    assert!(!text.contains("Ada") && !text.contains("example.org"), "{text}");
}
