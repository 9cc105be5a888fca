//! Tests of `GET /api/auth/oidc/{provider}/start`.

use souk_http_shop::{Call, Shop};

use crate::auth::oidc::{BrowserFlow, back, query, start};
use crate::auth::signed_up;

#[tokio::test]
async fn a_page_with_an_access_token_gets_the_provider_url_as_json() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let start = Call::get("/api/auth/oidc/work/start").header("accept", "application/json");
    let page = shop.as_user(&ada.text("accessToken"), start).await.done(200);
    assert!(page.text("url").starts_with("https://work.example/authorize"));
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let state = page.text("url").split_once("&state=").unwrap().1.to_owned();
    let flow = BrowserFlow { cookie, state };
    let linked = back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie).await.done(200);
    assert_eq!(linked.text("id"), ada.text("id"));
}

// Proves: sign-in.return-paths
#[tokio::test]
async fn a_browser_returns_only_to_paths_of_this_site() {
    let shop = Shop::open().await;
    let flow = start(&shop, "work", "?returnTo=/account%3Fa%3Db", None).await;
    let response = back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie).await.done(302);
    let (path, _) = response.header("location").split_once("#code=").unwrap();
    assert_eq!(path, "/account?a=b");
    let flow = start(&shop, "work", "?returnTo=/", None).await;
    let response = back(&shop, "work", &query(&flow, "8|"), &flow.cookie).await.done(302);
    assert_eq!(response.header("location"), "/#error=email-not-verified");
    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "%09/x",
        "account",
        "",
        "/a%23b",
        "/api/auth/oidc/home/start",
        "/./api/auth/oidc/home/start",
        "/%252e/api/auth/oidc/home/start",
        "/%25252e/api/auth/oidc/home/start",
        "/x/../api/auth/oidc/home/start",
        "/x/%252e%252e/api/auth/oidc/home/start",
        "/%2509/api/auth/oidc/home/start",
        "/account//x",
    ] {
        let start = Call::get(&format!("/api/auth/oidc/work/start?returnTo={elsewhere}"));
        shop.send(start).await.refused(400, "invalid-parameter");
    }
    let long = format!("/api/auth/oidc/work/start?returnTo=/{}", "x".repeat(600));
    shop.send(Call::get(&long)).await.refused(400, "invalid-parameter");
}

#[tokio::test]
async fn an_unavailable_or_unknown_provider_is_reported() {
    let shop = Shop::open().await;
    let down = shop.send(Call::get("/api/auth/oidc/down/start")).await.refused(503, "upstream-unavailable");
    assert!(down.text("detail").contains("`down`") && down.header("retry-after") == "5");
    for path in ["nobody/start", "nobody/callback?state=a&code=b", "WORK/start"] {
        shop.send(Call::get(&format!("/api/auth/oidc/{path}"))).await.refused(404, "not-found");
    }
}
