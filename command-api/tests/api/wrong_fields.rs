//! Every field of what people send of themselves, with what it may not be.

use serde_json::{Value, json};

use crate::auth::{PASSWORD, signed_up};
use crate::shop::{Call, TestShop};

/// What a field takes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Text that others read: no control characters, and so many characters.
    Text,
    /// Text that is compared only: any characters.
    Secret,
    /// Yes or no.
    Flag,
    /// Fields of its own.
    Object,
}

use Kind::{Flag, Object, Secret, Text};

impl Kind {
    fn wrong(self) -> Vec<Value> {
        let of_other_types = match self {
            Flag => vec![json!("yes"), json!(1), json!([]), json!({}), Value::Null],
            Object => vec![json!("yes"), json!(1), json!([1]), json!(true), json!({"more": 1})],
            Text | Secret => vec![json!(7), json!(true), json!([]), json!({}), json!(["x"]), Value::Null],
        };
        let of_its_own = match self {
            Text => vec![json!("a\u{0}b"), json!("a\u{1b}[2Jb"), json!("a\nb"), json!("x".repeat(10_000))],
            Secret | Flag | Object => Vec::new(),
        };
        [of_other_types, of_its_own].concat()
    }
}

struct Route {
    method: &'static str,
    path: &'static str,
    body: Value,
    fields: &'static [(&'static str, Kind)],
}

fn route(
    method: &'static str,
    path: &'static str,
    body: Value,
    fields: &'static [(&'static str, Kind)],
) -> Route {
    Route { method, path, body, fields }
}

fn routes() -> Vec<Route> {
    let (email, token) = ("ada@example.org", "AZ");
    let entry = json!({"label": "home", "name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "",
        "postalCode": "N1 1AA", "country": "GB", "phone": "", "default": true});
    let address = json!({"name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "",
        "postalCode": "N1 1AA", "country": "GB", "phone": ""});
    let of_entry: &[(&str, Kind)] = &[
        ("label", Text),
        ("name", Text),
        ("line1", Text),
        ("line2", Text),
        ("city", Text),
        ("region", Text),
        ("postalCode", Text),
        ("country", Text),
        ("phone", Text),
        ("default", Flag),
    ];
    vec![
        route(
            "POST",
            "/api/auth/signup",
            json!({"email": email, "password": PASSWORD, "name": "Ada"}),
            &[("email", Text), ("password", Secret), ("name", Text)],
        ),
        route(
            "POST",
            "/api/auth/login",
            json!({"email": email, "password": PASSWORD}),
            &[("email", Text), ("password", Secret)],
        ),
        route("POST", "/api/auth/refresh", json!({"refreshToken": token}), &[("refreshToken", Secret)]),
        route(
            "POST",
            "/api/auth/logout",
            json!({"refreshToken": token, "everywhere": false}),
            &[("refreshToken", Secret), ("everywhere", Flag)],
        ),
        route(
            "POST",
            "/api/auth/password/change",
            json!({"current": PASSWORD, "new": PASSWORD}),
            &[("current", Secret), ("new", Secret)],
        ),
        route("POST", "/api/auth/password/reset", json!({"email": email}), &[("email", Text)]),
        route(
            "POST",
            "/api/auth/password/reset/confirm",
            json!({"token": token, "password": PASSWORD}),
            &[("token", Secret), ("password", Secret)],
        ),
        route("POST", "/api/auth/email/verify", json!({"token": token}), &[("token", Secret)]),
        route(
            "PUT",
            "/api/users/me",
            json!({"name": "Ada", "phone": ""}),
            &[("name", Text), ("phone", Text)],
        ),
        route("POST", "/api/users/me/addresses", entry.clone(), of_entry),
        route(
            "PUT",
            "/api/users/me/preferences",
            json!({"language": "en", "marketing": false, "notifications": {"email": true}}),
            &[
                ("language", Text),
                ("marketing", Flag),
                ("notifications", Object),
                ("notifications/email", Flag),
            ],
        ),
        route(
            "POST",
            "/api/orders",
            json!({"lines": [{"sku": "heart", "quantity": 1}], "payment": {"token": "tok_ok"}, "shippingAddress": address}),
            &[
                ("payment", Object),
                ("payment/token", Text),
                ("shippingAddress", Object),
                ("shippingAddress/name", Text),
                ("shippingAddress/line1", Text),
                ("shippingAddress/line2", Text),
                ("shippingAddress/city", Text),
                ("shippingAddress/region", Text),
                ("shippingAddress/postalCode", Text),
                ("shippingAddress/country", Text),
                ("shippingAddress/phone", Text),
            ],
        ),
        route("DELETE", "/api/users/me", json!({"password": PASSWORD}), &[("password", Secret)]),
        route(
            "POST",
            "/api/orders/lookup/erase",
            json!({"code": "SK-1", "email": email}),
            &[("code", Text), ("email", Text)],
        ),
    ]
}

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_done() {
    let shop = TestShop::stocked().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let (mut tried, before) = (0, shop.log.lock().unwrap().head);
    for Route { method, path, body, fields } in routes() {
        for (field, kind) in fields {
            for wrong in kind.wrong() {
                let mut with = body.clone();
                *with.pointer_mut(&format!("/{field}")).unwrap() = wrong.clone();
                let call = Call::new(method, path, Vec::new()).json(&with);
                let answer = shop.as_user(&ada.text("accessToken"), call).await;
                let at = answer.body["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
                assert!(
                    answer.status == 422 && at.starts_with(&format!("/{field}")),
                    "{method} {path} {field} {:.60}: {} {}",
                    wrong.to_string(),
                    answer.status,
                    answer.body
                );
                tried += 1;
            }
        }
        let mut more = body.clone();
        more["more"] = json!(1);
        let answer =
            shop.as_user(&ada.text("accessToken"), Call::new(method, path, Vec::new()).json(&more)).await;
        answer.refused(422, "validation-failed").at("/more", "unknown-field");
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(shop.log.lock().unwrap().head, before);
    shop.as_user(&ada.text("accessToken"), Call::get("/api/auth/validate")).await.done(200);
}

#[tokio::test]
async fn passwords_of_a_megabyte_and_tokens_of_a_hundred_kilobytes_are_wrong_ones() {
    let shop = TestShop::open().await;
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
