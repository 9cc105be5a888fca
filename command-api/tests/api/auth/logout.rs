//! Tests of `POST /api/auth/logout`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::auth::{PASSWORD, audit, login_call, refresh, signed_up, validate};

// Proves: sign-in.sign-out
#[tokio::test]
async fn a_sign_out_ends_one_session_and_everywhere_ends_all() {
    let shop = Shop::open().await;
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
    let shop = Shop::open().await;
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
    let shop = Shop::open().await;
    for n in 0..20 {
        let ada = signed_up(&shop, &format!("ada{n}@example.org")).await;
        let token = ada.text("refreshToken");
        let logout = Call::post("/api/auth/logout", &json!({"refreshToken": token}));
        let (out, next) = tokio::join!(shop.send(logout), refresh(&shop, &token));
        assert_eq!(out.status, 204);
        if next.status == 200 {
            validate(&shop, &next.text("accessToken")).await.refused(401, "unauthenticated");
            refresh(&shop, &next.text("refreshToken")).await.refused(401, "unauthenticated");
        }
    }
}
