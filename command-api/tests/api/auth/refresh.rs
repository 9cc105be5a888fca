//! Tests of `POST /api/auth/refresh`.

use souk_http_shop::Shop;

use crate::auth::{PASSWORD, audit, login_call, refresh, signed_up, validate};

// Proves: sign-in.refresh-rotation
#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_one() {
    let shop = Shop::open().await;
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

// Proves: sign-in.stolen-refresh-token
#[tokio::test]
async fn a_repeated_refresh_token_ends_its_session() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let next = refresh(&shop, &ada.text("refreshToken")).await.done(200);
    shop.pass(11);
    refresh(&shop, &ada.text("refreshToken")).await.refused(401, "unauthenticated");
    validate(&shop, &next.text("accessToken")).await.refused(401, "unauthenticated");
    refresh(&shop, &next.text("refreshToken")).await.refused(401, "unauthenticated");
    let again = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    assert_eq!(audit(&shop, &again.text("accessToken")).await[1], "token-reused");
}

// Proves: sign-in.refresh-grace
#[tokio::test]
async fn two_simultaneous_refreshes_with_one_token_both_succeed() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = ada.text("refreshToken");
    let (one, two) = tokio::join!(refresh(&shop, &token), refresh(&shop, &token));
    refresh(&shop, &one.done(200).text("refreshToken")).await.done(200);
    refresh(&shop, &two.done(200).text("refreshToken")).await.done(200);
}
