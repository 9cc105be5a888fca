//! Tests of `/api/auth/oidc/…`, with scripted identity providers.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use souk_domain::Email;
use souk_sign_in::identity_provider::{Flow, FlowStart, Identity};
use souk_sign_in::{IdentityProviders, ProviderFailed, RefreshToken};

use crate::auth::{PASSWORD, login_call, mailed, signed_up};
use crate::shop::{Call, TestResponse, TestShop};

/// The scripted providers. `work` and `home` take the subject and the e-mail address from the code, such as
/// `7|ada@example.org`. `down` is not available. `strict` announces that its responses name the issuer.
#[derive(Default)]
pub(crate) struct Scripted {
    flows: AtomicU32,
}

#[async_trait]
impl IdentityProviders for Scripted {
    fn has(&self, name: &str) -> bool {
        ["work", "home", "down", "strict"].contains(&name)
    }

    fn issuer(&self, name: &str) -> Option<String> {
        self.has(name).then(|| format!("https://{name}.example"))
    }

    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<FlowStart, ProviderFailed> {
        if name == "down" {
            return Err(ProviderFailed::Unavailable("it is down".to_owned()));
        }
        let text = str::to_owned;
        let state = format!("{name}{}", self.flows.fetch_add(1, Ordering::Relaxed));
        let url = format!("https://{name}.example/authorize?redirect_uri={redirect_uri}&state={state}");
        Ok(FlowStart {
            url,
            issuer: format!("https://{name}.example"),
            sends_issuer: name == "strict",
            state,
            nonce: text("nonce"),
            verifier: text("verifier"),
        })
    }

    async fn finish(&self, flow: &Flow, code: &str, _: &str) -> Result<Identity, ProviderFailed> {
        let (subject, email) = code.split_once('|').ok_or(ProviderFailed::Refused("no code".to_owned()))?;
        Ok(Identity {
            issuer: flow.issuer.clone(),
            subject: subject.to_owned(),
            verified_email: Email::parse(email).ok(),
            name: Some("Ada\u{0} of Work".to_owned()),
        })
    }
}

/// The data of a started flow that the browser has.
struct BrowserFlow {
    cookie: String,
    state: String,
}

async fn start(shop: &TestShop, provider: &str, query: &str, token: Option<&str>) -> BrowserFlow {
    let call = Call::get(&format!("/api/auth/oidc/{provider}/start{query}"));
    let response = match token {
        Some(token) => shop.as_user(token, call).await,
        None => shop.send(call).await,
    };
    let response = response.done(302);
    assert!(response.head("location").starts_with(&format!("https://{provider}.example/authorize")));
    let cookie = response.head("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", &format!("Path=/api/auth/oidc/{provider}")] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    let state = response.head("location").split_once("&state=").unwrap().1.to_owned();
    BrowserFlow { cookie: cookie.split(';').next().unwrap().to_owned(), state }
}

async fn back(shop: &TestShop, provider: &str, query: &str, cookie: &str) -> TestResponse {
    let path = format!("/api/auth/oidc/{provider}/callback?{query}");
    shop.send(Call::get(&path).header("cookie", cookie)).await
}

fn query(flow: &BrowserFlow, code: &str) -> String {
    format!("state={}&code={}&session_state=whatever", flow.state, code.replace('|', "%7C"))
}

/// Starts a flow and completes it.
pub(crate) async fn sign_in_through(
    shop: &TestShop,
    provider: &str,
    code: &str,
    token: Option<&str>,
) -> TestResponse {
    let flow = start(shop, provider, "", token).await;
    back(shop, provider, &query(&flow, code), &flow.cookie).await
}

#[tokio::test]
async fn a_new_identity_gets_an_account_and_signs_in_to_it_later() {
    let shop = TestShop::open().await;
    let first = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert!(first.head("set-cookie").starts_with("souk-sign-in=;"), "{}", first.head("set-cookie"));
    let again = sign_in_through(&shop, "work", "7|ada@elsewhere.example", None).await.done(200);
    assert_eq!(first.text("id"), again.text("id"));
    // The same subject at another provider is another person.
    let other = sign_in_through(&shop, "home", "7|bob@example.org", None).await.done(200);
    assert_ne!(first.text("id"), other.text("id"));
    let trail = shop.as_user(&first.text("accessToken"), Call::get("/api/auth/audit")).await.done(200);
    let kinds: Vec<&str> =
        trail.body["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["signed-in", "signed-in", "signed-up"]);
    // Nobody can sign in with a password to an account that has none.
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    shop.send(Call::post("/api/auth/login", &login)).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_user_without_a_password_confirms_an_erasure_by_a_recent_sign_in() {
    let shop = TestShop::open().await;
    let first = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    let erase = || Call::delete("/api/users/me").json(&json!({}));
    let wrong = Call::delete("/api/users/me").json(&json!({"password": PASSWORD}));
    shop.as_user(&first.text("accessToken"), wrong)
        .await
        .refused(422, "validation-failed")
        .at("/password", "wrong-password");
    let refresh = json!({"refreshToken": first.text("refreshToken")});
    shop.pass(121);
    shop.as_user(&first.text("accessToken"), erase()).await.refused(403, "sign-in-needed");
    let later = shop.send(Call::post("/api/auth/refresh", &refresh)).await.done(200);
    shop.as_user(&later.text("accessToken"), erase()).await.refused(403, "sign-in-needed");
    let again = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    shop.as_user(&again.text("accessToken"), erase()).await.done(202);
    let bob = signed_up(&shop, "bob@example.org").await;
    let refused = shop.as_user(&bob.text("accessToken"), erase()).await;
    refused.refused(422, "validation-failed").at("/password", "missing-field");
}

#[tokio::test]
async fn a_provider_response_without_the_announced_issuer_is_refused() {
    let shop = TestShop::open().await;
    sign_in_through(&shop, "strict", "7|ada@example.org", None).await.refused(400, "sign-in-not-begun");
    let flow = start(&shop, "strict", "", None).await;
    let named = format!("{}&iss=https%3A%2F%2Fstrict.example", query(&flow, "7|ada@example.org"));
    back(&shop, "strict", &named, &flow.cookie).await.done(200);
}

#[tokio::test]
async fn an_existing_account_is_linked_by_its_owner_only() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let ada_token = ada.text("accessToken");
    let bob_token = bob.text("accessToken");
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
    sign_in_through(&shop, "work", "7|ada@example.org", Some(&bob_token))
        .await
        .refused(409, "account-not-linked");
    sign_in_through(&shop, "work", "7|", Some(&ada_token)).await.refused(403, "email-not-verified");
    let linked = sign_in_through(&shop, "work", "7|ada@example.org", Some(&ada_token)).await.done(200);
    assert_eq!(linked.text("id"), ada.text("id"));
    let signed_in = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert_eq!(signed_in.text("id"), ada.text("id"));
    sign_in_through(&shop, "work", "7|bob@example.org", Some(&bob_token))
        .await
        .refused(409, "account-not-linked");
}

#[tokio::test]
async fn a_flow_that_a_session_started_ends_with_the_session() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let flow = start(&shop, "work", "", Some(&ada.text("accessToken"))).await;
    let logout = json!({"refreshToken": ada.text("refreshToken")});
    shop.send(Call::post("/api/auth/logout", &logout)).await.done(204);
    back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie)
        .await
        .refused(400, "sign-in-not-begun");
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
}

#[tokio::test]
async fn an_identity_without_a_verified_address_gets_no_account() {
    let shop = TestShop::open().await;
    sign_in_through(&shop, "work", "7|", None).await.refused(403, "email-not-verified");
    sign_in_through(&shop, "work", "7|\u{430}da@example.org", None).await.refused(403, "email-not-verified");
    sign_in_through(&shop, "work", "nonsense", None).await.refused(403, "sign-in-refused");
}

#[tokio::test]
async fn forged_replayed_and_mixed_up_states_are_refused() {
    let shop = TestShop::open().await;
    let work = start(&shop, "work", "", None).await;
    let home = start(&shop, "home", "", None).await;
    let good = query(&work, "7|ada@example.org");
    let of_home = query(&home, "7|x@example.org");
    for (provider, query, cookie) in [
        ("work", good.clone(), ""),
        ("work", good.clone(), "souk-sign-in=forged"),
        ("work", good.clone(), &home.cookie),
        ("home", good.clone(), &work.cookie),
        ("home", of_home.clone(), &work.cookie),
        ("work", of_home.clone(), &work.cookie),
        ("work", "code=7".to_owned(), &work.cookie),
        ("work", String::new(), &work.cookie),
        ("work", format!("{good}&iss=https%3A%2F%2Fhome.example"), &work.cookie),
    ] {
        back(&shop, provider, &query, cookie).await.refused(400, "sign-in-not-begun");
    }
    let denied = format!("state={}&error=access_denied", work.state);
    back(&shop, "work", &denied, &work.cookie).await.refused(403, "sign-in-refused");
    // A flow is completed once, even if it failed and the cookie was copied.
    back(&shop, "work", &good, &work.cookie).await.refused(400, "sign-in-not-begun");
    let good = query(&home, "7|ada@example.org");
    let head = Call::head(&format!("/api/auth/oidc/home/callback?{good}")).header("cookie", &home.cookie);
    assert_eq!(shop.send(head).await.status.as_u16(), 405);
    back(&shop, "home", &format!("{good}&iss=https%3A%2F%2Fhome.example"), &home.cookie).await.done(200);
    back(&shop, "home", &good, &home.cookie).await.refused(400, "sign-in-not-begun");
}

#[tokio::test]
async fn a_flow_expires_after_ten_minutes() {
    let shop = TestShop::open().await;
    let flow = start(&shop, "work", "", None).await;
    shop.pass(11 * 60);
    back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie)
        .await
        .refused(400, "sign-in-not-begun");
}

#[tokio::test]
async fn a_page_with_an_access_token_gets_the_provider_url_as_json() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let start = Call::get("/api/auth/oidc/work/start").header("accept", "application/json");
    let page = shop.as_user(&ada.text("accessToken"), start).await.done(200);
    assert!(page.text("url").starts_with("https://work.example/authorize"));
    let cookie = page.head("set-cookie").split(';').next().unwrap().to_owned();
    let state = page.text("url").split_once("&state=").unwrap().1.to_owned();
    let flow = BrowserFlow { cookie, state };
    let linked = back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie).await.done(200);
    assert_eq!(linked.text("id"), ada.text("id"));
}

#[tokio::test]
async fn a_browser_returns_only_to_paths_of_this_site() {
    let shop = TestShop::open().await;
    let flow = start(&shop, "work", "?returnTo=/account%3Fa%3Db", None).await;
    let response = back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie).await.done(302);
    let (path, _) = response.head("location").split_once("#code=").unwrap();
    assert_eq!(path, "/account?a=b");
    let flow = start(&shop, "work", "?returnTo=/", None).await;
    let response = back(&shop, "work", &query(&flow, "8|"), &flow.cookie).await.done(302);
    assert_eq!(response.head("location"), "/#error=email-not-verified");
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

/// Signs in and returns the code from the fragment of the page's address.
async fn code(shop: &TestShop) -> String {
    let flow = start(shop, "work", "?returnTo=/account", None).await;
    let response = back(shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie).await.done(302);
    response.head("location").strip_prefix("/account#code=").unwrap().to_owned()
}

async fn exchange(shop: &TestShop, code: &str) -> TestResponse {
    shop.send(Call::post("/api/auth/oidc/exchange", &json!({"code": code}))).await
}

#[tokio::test]
async fn a_sign_in_code_is_exchanged_for_the_same_response_as_a_sign_in() {
    let shop = TestShop::open().await;
    let signed_in = exchange(&shop, &code(&shop).await).await.done(200);
    assert_eq!(signed_in.head("cache-control"), "no-store");
    let login = signed_up(&shop, "bob@example.org").await;
    let fields =
        |response: &TestResponse| response.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&signed_in), fields(&login));
    let valid = shop.as_user(&signed_in.text("accessToken"), Call::get("/api/auth/validate")).await.done(200);
    assert_eq!(valid.text("subject"), signed_in.text("id"));
    let refresh = json!({"refreshToken": signed_in.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.done(200);
}

#[tokio::test]
async fn wrong_used_and_expired_codes_get_the_same_response() {
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn a_code_that_is_used_twice_ends_its_session() {
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn an_unavailable_or_unknown_provider_is_reported() {
    let shop = TestShop::open().await;
    let down = shop.send(Call::get("/api/auth/oidc/down/start")).await.refused(503, "upstream-unavailable");
    assert!(down.text("detail").contains("`down`") && down.head("retry-after") == "5");
    for path in ["nobody/start", "nobody/callback?state=a&code=b", "WORK/start"] {
        shop.send(Call::get(&format!("/api/auth/oidc/{path}"))).await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn an_identity_is_unlinked_unless_it_is_the_only_way_to_sign_in() {
    let shop = TestShop::open().await;
    let unlink = |provider: &str| Call::delete(&format!("/api/auth/oidc/{provider}"));
    shop.send(unlink("work")).await.refused(401, "unauthenticated");
    let ada = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    let token = ada.text("accessToken");
    shop.as_user(&token, unlink("home")).await.refused(404, "not-found");
    shop.as_user(&token, unlink("elsewhere")).await.refused(404, "not-found");
    shop.as_user(&token, unlink("work")).await.refused(409, "last-way-to-sign-in");
    sign_in_through(&shop, "home", "8|ada@example.org", Some(&token)).await.done(200);
    shop.as_user(&token, unlink("work")).await.done(204);
    shop.as_user(&token, unlink("home")).await.refused(409, "last-way-to-sign-in");
    let trail = shop.as_user(&token, Call::get("/api/auth/audit")).await.done(200);
    assert_eq!(trail.body["items"][0]["kind"], "provider-unlinked");
    // After setting a password, as the problem advises, the last identity can be unlinked.
    let reset = json!({"email": "ada@example.org"});
    shop.send(Call::post("/api/auth/password/reset", &reset)).await.done(202);
    shop.until_mails(&ada.text("id"), 1).await;
    let confirm = json!({"token": mailed(&shop, &ada.text("id")), "password": PASSWORD});
    shop.send(Call::post("/api/auth/password/reset/confirm", &confirm)).await.done(204);
    let signed_in = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    shop.as_user(&signed_in.text("accessToken"), unlink("home")).await.done(204);
    // The identity is not linked any more, and its e-mail address gives no access to the account.
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
}
