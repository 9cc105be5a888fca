//! Tests of `POST /api/auth/oidc/exchange`.

use serde_json::{Value, json};
use souk_http_shop::{Call, Response, Shop};
use souk_sign_in::RefreshToken;

use crate::auth::oidc::{back, query, start};
use crate::auth::signed_up;

/// Signs in and returns the code from the fragment of the page's address.
async fn code(shop: &Shop) -> String {
    let flow = start(shop, "work", "?returnTo=/account", None).await;
    let response = back(shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie).await.done(302);
    response.header("location").strip_prefix("/account#code=").unwrap().to_owned()
}

async fn exchange(shop: &Shop, code: &str) -> Response {
    shop.send(Call::post("/api/auth/oidc/exchange", &json!({"code": code}))).await
}

#[tokio::test]
async fn a_sign_in_code_is_exchanged_for_the_same_response_as_a_sign_in() {
    let shop = Shop::open().await;
    let signed_in = exchange(&shop, &code(&shop).await).await.done(200);
    assert_eq!(signed_in.header("cache-control"), "no-store");
    let login = signed_up(&shop, "bob@example.org").await;
    let fields = |response: &Response| response.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&signed_in), fields(&login));
    let valid = shop.as_user(&signed_in.text("accessToken"), Call::get("/api/auth/validate")).await.done(200);
    assert_eq!(valid.text("subject"), signed_in.text("id"));
    let refresh = json!({"refreshToken": signed_in.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.done(200);
}

#[tokio::test]
async fn wrong_used_and_expired_codes_get_the_same_response() {
    let shop = Shop::open().await;
    let used = code(&shop).await;
    exchange(&shop, &used).await.done(200);
    let late = code(&shop).await;
    shop.pass(60);
    let refresh_token = signed_up(&shop, "bob@example.org").await.text("refreshToken");
    let mut bodies = Vec::new();
    for refused in [&used, &late, &refresh_token, "", "x", &"A".repeat(100), &"A".repeat(100_000)] {
        let mut body = exchange(&shop, refused).await.refused(401, "unauthenticated").body;
        body["correlationId"] = Value::Null;
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    for (body, at) in
        [(json!({}), "/code"), (json!({"code": 1}), "/code"), (json!({"code": "x", "y": 1}), "/y")]
    {
        let response = shop.send(Call::post("/api/auth/oidc/exchange", &body)).await;
        assert_eq!(response.refused(422, "validation-failed").body["errors"][0]["pointer"], at);
    }
    // A code does not work as a refresh token.
    let early = json!({"refreshToken": code(&shop).await});
    shop.send(Call::post("/api/auth/refresh", &early)).await.refused(401, "unauthenticated");
}

// Proves: sign-in.provider-callbacks
#[tokio::test]
async fn a_code_that_is_used_twice_ends_its_session() {
    let shop = Shop::open().await;
    let stolen = code(&shop).await;
    let first = exchange(&shop, &stolen).await.done(200);
    exchange(&shop, &stolen).await.refused(401, "unauthenticated");
    let validate = Call::get("/api/auth/validate");
    shop.as_user(&first.text("accessToken"), validate.clone()).await.refused(401, "unauthenticated");
    let refresh = json!({"refreshToken": first.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.refused(401, "unauthenticated");
    // Of two simultaneous exchanges, at most one succeeds, and its session has ended.
    let raced = code(&shop).await;
    let (one, two) = tokio::join!(exchange(&shop, &raced), exchange(&shop, &raced));
    let successful: Vec<_> = [one, two].into_iter().filter(|response| response.status == 200).collect();
    assert!(successful.len() <= 1);
    for response in successful {
        shop.as_user(&response.text("accessToken"), validate.clone()).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_code_stops_working_when_the_sessions_of_its_account_end() {
    let shop = Shop::open().await;
    let signed_in = exchange(&shop, &code(&shop).await).await.done(200);
    let waiting = code(&shop).await;
    let everywhere = json!({"refreshToken": signed_in.text("refreshToken"), "everywhere": true});
    shop.send(Call::post("/api/auth/logout", &everywhere)).await.done(204);
    exchange(&shop, &waiting).await.refused(401, "unauthenticated");
    let waiting = code(&shop).await;
    shop.admin(Call::delete(&format!("/api/users/{}", signed_in.text("id")))).await.done(202);
    exchange(&shop, &waiting).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn only_the_hash_of_a_code_is_stored() {
    let shop = Shop::open().await;
    let code = code(&shop).await;
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &code).unwrap();
    // The secret follows the session id.
    let secret = &bytes[16..48];
    for spelling in
        [code.as_bytes().to_vec(), secret.to_vec(), format!("{secret:?}").replace(' ', "").into_bytes()]
    {
        assert!(!shop.has_in_files(&spelling), "the data folder contains the code");
    }
    let hash = RefreshToken::decode(&code, &shop.ports.keys.sign_in_code).unwrap().hash();
    let hash = format!("{hash:?}").replace(' ', "");
    assert!(shop.has_in_files(hash.as_bytes()), "the search must find the stored hash");
}
