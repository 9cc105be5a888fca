//! Tests of `/api/auth/oidc/…`, with scripted identity providers.

mod callback;
mod exchange;
mod linking;
mod start;

use souk_http_shop::{Call, Response, Shop};

/// The data of a started flow that the browser has.
pub(crate) struct BrowserFlow {
    pub(crate) cookie: String,
    pub(crate) state: String,
}

pub(crate) async fn start(shop: &Shop, provider: &str, query: &str, token: Option<&str>) -> BrowserFlow {
    let call = Call::get(&format!("/api/auth/oidc/{provider}/start{query}"));
    let response = match token {
        Some(token) => shop.as_user(token, call).await,
        None => shop.send(call).await,
    };
    let response = response.done(302);
    assert!(response.header("location").starts_with(&format!("https://{provider}.example/authorize")));
    let cookie = response.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", &format!("Path=/api/auth/oidc/{provider}")] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    let state = response.header("location").split_once("&state=").unwrap().1.to_owned();
    BrowserFlow { cookie: cookie.split(';').next().unwrap().to_owned(), state }
}

pub(crate) async fn back(shop: &Shop, provider: &str, query: &str, cookie: &str) -> Response {
    let path = format!("/api/auth/oidc/{provider}/callback?{query}");
    shop.send(Call::get(&path).header("cookie", cookie)).await
}

pub(crate) fn query(flow: &BrowserFlow, code: &str) -> String {
    format!("state={}&code={}&session_state=whatever", flow.state, code.replace('|', "%7C"))
}

/// Starts a flow and completes it.
pub(crate) async fn sign_in_through(
    shop: &Shop,
    provider: &str,
    code: &str,
    token: Option<&str>,
) -> Response {
    let flow = start(shop, provider, "", token).await;
    back(shop, provider, &query(&flow, code), &flow.cookie).await
}
