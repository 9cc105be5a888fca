//! Tests of `GET /.well-known/jwks.json`.

use serde_json::Value;
use souk_http::Role;
use souk_http_shop::{Call, Shop};

// Proves: sign-in.signing-keys
#[tokio::test]
async fn public_keys_are_published_and_an_access_token_names_its_key() {
    let shop = Shop::open().await;
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
