//! Tests of `PUT /api/users/me` and `…/preferences`.

use serde_json::{Value, json};
use souk_http_shop::{Call, Shop};

use crate::auth::signed_up;

// Proves: users.preferences
#[tokio::test]
async fn invalid_fields_of_profile_and_preferences_are_named() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = ada.text("accessToken");
    let profile = |body: Value| Call::put("/api/users/me", &body);
    shop.as_user(&token, profile(json!({"name": "Ada L", "phone": "+44"}))).await.done(200);
    shop.as_user(&token, profile(json!({"name": ""})))
        .await
        .refused(422, "validation-failed")
        .at("/name", "invalid-length");
    let preferences = |language: &str| {
        let body = json!({"language": language, "marketing": true, "notifications": {"email": false}});
        Call::put("/api/users/me/preferences", &body)
    };
    let first = shop.as_user(&token, preferences("pt-BR")).await.done(200);
    let same = shop.as_user(&token, preferences("pt-BR")).await.done(200);
    assert_eq!(first.body["revision"], same.body["revision"]);
    for language in ["", "e", "en_GB", "en-", "englishlanguage", "é-GB"] {
        shop.as_user(&token, preferences(language))
            .await
            .refused(422, "validation-failed")
            .at("/language", "invalid-language");
    }
    shop.customer("machine", preferences("en")).await.refused(404, "not-found");
    shop.send(preferences("en")).await.refused(401, "unauthenticated");
}
