//! Invalid values for every field of requests that people send about themselves.

use serde_json::{Value, json};
use souk_http_shop::{Call, Response, Shop};

use crate::auth::{PASSWORD, signed_up};

/// Fields that are only compared, so they may contain any characters.
const SECRETS: [&str; 5] = ["password", "current", "new", "token", "refreshToken"];

/// Returns routes, each with a body that has every field.
fn routes() -> Vec<(&'static str, &'static str, Value)> {
    let address = json!({"name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "",
        "postalCode": "N1 1AA", "country": "GB", "phone": ""});
    let mut entry = address.clone();
    entry["label"] = json!("home");
    entry["default"] = json!(true);
    let account = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
    let preferences = json!({"language": "en", "marketing": false, "notifications": {"email": true}});
    let order = json!({"lines": [{"sku": "heart", "quantity": 1}], "payment": {"token": "tok_ok"},
        "shippingAddress": address});
    vec![
        ("POST", "/api/auth/signup", account),
        ("POST", "/api/auth/login", json!({"email": "ada@example.org", "password": PASSWORD})),
        ("POST", "/api/auth/refresh", json!({"refreshToken": "AZ"})),
        ("POST", "/api/auth/logout", json!({"refreshToken": "AZ", "everywhere": false})),
        ("POST", "/api/auth/password/change", json!({"current": PASSWORD, "new": PASSWORD})),
        ("POST", "/api/auth/password/reset", json!({"email": "ada@example.org"})),
        ("POST", "/api/auth/password/reset/confirm", json!({"token": "AZ", "password": PASSWORD})),
        ("POST", "/api/auth/email/verify", json!({"token": "AZ", "password": PASSWORD})),
        ("PUT", "/api/users/me", json!({"name": "Ada", "phone": ""})),
        ("POST", "/api/users/me/addresses", entry),
        ("PUT", "/api/users/me/preferences", preferences),
        ("DELETE", "/api/users/me", json!({"password": PASSWORD})),
        ("POST", "/api/orders", order),
        ("POST", "/api/orders/lookup/erase", json!({"code": "SK-1", "email": "ada@example.org"})),
    ]
}

/// Returns the pointer of every field, also in nested objects, with each of its invalid values.
fn wrong_fields(at: &str, body: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        let place = format!("{at}/{name}");
        let wrong = match value {
            Value::Bool(_) => vec![json!("yes"), json!(1), json!([]), json!({}), Value::Null],
            Value::Object(_) => vec![json!("yes"), json!(1), json!([1]), json!(true), json!({"more": 1})],
            Value::Array(_) => vec![json!("yes"), json!(1), json!({}), json!([1]), json!([{"more": 1}])],
            _ => vec![json!(7), json!(true), json!([]), json!({}), json!(["x"]), Value::Null],
        };
        all.extend(wrong.into_iter().map(|wrong| (place.clone(), wrong)));
        // The payment token must be one line of visible text, unlike the other tokens.
        if value.is_string() && (!SECRETS.contains(&name.as_str()) || at == "/payment") {
            let long = "x".repeat(10_000);
            let texts = ["a\u{0}b", "a\u{1b}[2Jb", "a\nb", &long];
            all.extend(texts.map(|text| (place.clone(), json!(text))));
        }
        all.extend(wrong_fields(&place, value));
    }
    all
}

// Proves: common.all-errors-at-once
#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_is_written() {
    let shop = Shop::stocked().await;
    let ada = signed_up(&shop, "ada@example.org").await.text("accessToken");
    let mut tried = 0;
    let before = shop.head().await;
    for (method, path, body) in routes() {
        let send =
            async |body: &Value| shop.as_user(&ada, Call::new(method, path, Vec::new()).json(body)).await;
        for (place, wrong) in wrong_fields("", &body) {
            let mut with = body.clone();
            *with.pointer_mut(&place).unwrap() = wrong.clone();
            let Response { status, body, .. } = send(&with).await;
            let at = body["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert!(
                status == 422 && at.starts_with(&place),
                "{method} {path} {place} {:.60}: {status} {body}",
                wrong.to_string()
            );
            tried += 1;
        }
        let mut more = body.clone();
        more["more"] = json!(1);
        send(&more).await.refused(422, "validation-failed").at("/more", "unknown-field");
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(shop.head().await, before);
    shop.as_user(&ada, Call::get("/api/auth/validate")).await.done(200);
}

#[tokio::test]
async fn very_long_passwords_and_tokens_are_refused() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let long = "x".repeat(1_000_000);
    let login = json!({"email": "ada@example.org", "password": long});
    shop.send(Call::post("/api/auth/login", &login))
        .await
        .refused(422, "validation-failed")
        .at("/password", "invalid-length");
    let change = json!({"current": PASSWORD, "new": long});
    shop.as_user(&ada.text("accessToken"), Call::post("/api/auth/password/change", &change))
        .await
        .refused(422, "validation-failed")
        .at("/new", "weak-password");
    let token = json!({"refreshToken": "A".repeat(100_000)});
    shop.send(Call::post("/api/auth/refresh", &token)).await.refused(401, "unauthenticated");
    let token = json!({"token": "A".repeat(100_000)});
    shop.send(Call::post("/api/auth/email/verify", &token))
        .await
        .refused(422, "validation-failed")
        .at("/token", "unknown-token");
}
