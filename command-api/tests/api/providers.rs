//! `/api/auth/oidc/…`, with providers that say what they are told to.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use souk_domain::Email;
use souk_sign_in::identity_provider::{FlowStart, Flow, Identity};
use souk_sign_in::{IdentityProviders, ProviderFailed, RefreshToken};

use crate::auth::{PASSWORD, login_call, mailed, signed_up};
use crate::shop::{Answer, Call, TestShop};

/// `work` and `home` take a code for the subject and e-mail address in it, as in `7|ada@example.org`; `down`
/// can't be asked, and `strict` says to name itself in its answers.
#[derive(Default)]
pub(crate) struct Scripted {
    begun: AtomicU32,
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
        let state = format!("{name}{}", self.begun.fetch_add(1, Ordering::Relaxed));
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

/// A sign-in that has begun, as the browser carries it.
struct Begin {
    cookie: String,
    state: String,
}

async fn begun(shop: &TestShop, provider: &str, query: &str, token: Option<&str>) -> Begin {
    let call = Call::get(&format!("/api/auth/oidc/{provider}/start{query}"));
    let answer = match token {
        Some(token) => shop.as_user(token, call).await,
        None => shop.send(call).await,
    };
    let answer = answer.done(302);
    assert!(answer.head("location").starts_with(&format!("https://{provider}.example/authorize")));
    let cookie = answer.head("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", &format!("Path=/api/auth/oidc/{provider}")] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    let state = answer.head("location").split_once("&state=").unwrap().1.to_owned();
    Begin { cookie: cookie.split(';').next().unwrap().to_owned(), state }
}

async fn back(shop: &TestShop, provider: &str, query: &str, cookie: &str) -> Answer {
    let path = format!("/api/auth/oidc/{provider}/callback?{query}");
    shop.send(Call::get(&path).header("cookie", cookie)).await
}

fn query(begin: &Begin, code: &str) -> String {
    format!("state={}&code={}&session_state=whatever", begin.state, code.replace('|', "%7C"))
}

/// Begins and comes back.
pub(crate) async fn through(shop: &TestShop, provider: &str, code: &str, token: Option<&str>) -> Answer {
    let begin = begun(shop, provider, "", token).await;
    back(shop, provider, &query(&begin, code), &begin.cookie).await
}

#[tokio::test]
async fn whoever_is_new_gets_an_account_and_is_known_from_then_on() {
    let shop = TestShop::open().await;
    let first = through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert!(first.head("set-cookie").starts_with("souk-sign-in=;"), "{}", first.head("set-cookie"));
    let again = through(&shop, "work", "7|ada@elsewhere.example", None).await.done(200);
    assert_eq!(first.text("id"), again.text("id"));
    // The same subject of somebody else is somebody else.
    let other = through(&shop, "home", "7|bob@example.org", None).await.done(200);
    assert_ne!(first.text("id"), other.text("id"));
    let trail = shop.as_user(&first.text("accessToken"), Call::get("/api/auth/audit")).await.done(200);
    let kinds: Vec<&str> =
        trail.body["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["signed-in", "signed-in", "signed-up"]);
    // An account without a password can't be signed in to with one.
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    shop.send(Call::post("/api/auth/login", &login)).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn whoever_has_no_password_is_forgotten_by_a_sign_in_of_just_now() {
    let shop = TestShop::open().await;
    let first = through(&shop, "work", "7|ada@example.org", None).await.done(200);
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
    let again = through(&shop, "work", "7|ada@example.org", None).await.done(200);
    shop.as_user(&again.text("accessToken"), erase()).await.done(202);
    let bob = signed_up(&shop, "bob@example.org").await;
    let refused = shop.as_user(&bob.text("accessToken"), erase()).await;
    refused.refused(422, "validation-failed").at("/password", "missing-field");
}

#[tokio::test]
async fn an_answer_without_the_name_that_its_provider_announced_is_refused() {
    let shop = TestShop::open().await;
    through(&shop, "strict", "7|ada@example.org", None).await.refused(400, "sign-in-not-begun");
    let begin = begun(&shop, "strict", "", None).await;
    let named = format!("{}&iss=https%3A%2F%2Fstrict.example", query(&begin, "7|ada@example.org"));
    back(&shop, "strict", &named, &begin.cookie).await.done(200);
}

#[tokio::test]
async fn an_account_that_is_there_is_linked_by_its_owner_alone() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let (ada_token, bob_token) = (ada.text("accessToken"), bob.text("accessToken"));
    through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
    through(&shop, "work", "7|ada@example.org", Some(&bob_token)).await.refused(409, "account-not-linked");
    through(&shop, "work", "7|", Some(&ada_token)).await.refused(403, "email-not-verified");
    let linked = through(&shop, "work", "7|ada@example.org", Some(&ada_token)).await.done(200);
    assert_eq!(linked.text("id"), ada.text("id"));
    let signed_in = through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert_eq!(signed_in.text("id"), ada.text("id"));
    through(&shop, "work", "7|bob@example.org", Some(&bob_token)).await.refused(409, "account-not-linked");
}

#[tokio::test]
async fn a_link_that_was_begun_by_a_session_ends_with_it() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let begin = begun(&shop, "work", "", Some(&ada.text("accessToken"))).await;
    let logout = json!({"refreshToken": ada.text("refreshToken")});
    shop.send(Call::post("/api/auth/logout", &logout)).await.done(204);
    back(&shop, "work", &query(&begin, "7|ada@example.org"), &begin.cookie)
        .await
        .refused(400, "sign-in-not-begun");
    through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
}

#[tokio::test]
async fn without_a_verified_address_there_is_no_account() {
    let shop = TestShop::open().await;
    through(&shop, "work", "7|", None).await.refused(403, "email-not-verified");
    through(&shop, "work", "7|\u{430}da@example.org", None).await.refused(403, "email-not-verified");
    through(&shop, "work", "nonsense", None).await.refused(403, "sign-in-refused");
}

#[tokio::test]
async fn states_that_are_forged_replayed_or_mixed_up_sign_nobody_in() {
    let shop = TestShop::open().await;
    let (work, home) = (begun(&shop, "work", "", None).await, begun(&shop, "home", "", None).await);
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
    // Once, and not again, whatever came of it and whoever kept the cookie.
    back(&shop, "work", &good, &work.cookie).await.refused(400, "sign-in-not-begun");
    let good = query(&home, "7|ada@example.org");
    let head = Call::head(&format!("/api/auth/oidc/home/callback?{good}")).header("cookie", &home.cookie);
    assert_eq!(shop.send(head).await.status.as_u16(), 405);
    back(&shop, "home", &format!("{good}&iss=https%3A%2F%2Fhome.example"), &home.cookie).await.done(200);
    back(&shop, "home", &good, &home.cookie).await.refused(400, "sign-in-not-begun");
}

#[tokio::test]
async fn a_sign_in_that_takes_too_long_is_over() {
    let shop = TestShop::open().await;
    let begin = begun(&shop, "work", "", None).await;
    shop.pass(11 * 60);
    back(&shop, "work", &query(&begin, "7|ada@example.org"), &begin.cookie)
        .await
        .refused(400, "sign-in-not-begun");
}

#[tokio::test]
async fn a_page_that_holds_a_token_is_told_where_to_go() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let start = Call::get("/api/auth/oidc/work/start").header("accept", "application/json");
    let told = shop.as_user(&ada.text("accessToken"), start).await.done(200);
    assert!(told.text("url").starts_with("https://work.example/authorize"));
    let cookie = told.head("set-cookie").split(';').next().unwrap().to_owned();
    let state = told.text("url").split_once("&state=").unwrap().1.to_owned();
    let begin = Begin { cookie, state };
    let linked = back(&shop, "work", &query(&begin, "7|ada@example.org"), &begin.cookie).await.done(200);
    assert_eq!(linked.text("id"), ada.text("id"));
}

#[tokio::test]
async fn a_browser_comes_back_to_a_path_of_this_site_alone() {
    let shop = TestShop::open().await;
    let begin = begun(&shop, "work", "?returnTo=/account%3Fa%3Db", None).await;
    let answer = back(&shop, "work", &query(&begin, "7|ada@example.org"), &begin.cookie).await.done(302);
    let (path, _) = answer.head("location").split_once("#code=").unwrap();
    assert_eq!(path, "/account?a=b");
    let begin = begun(&shop, "work", "?returnTo=/", None).await;
    let answer = back(&shop, "work", &query(&begin, "8|"), &begin.cookie).await.done(302);
    assert_eq!(answer.head("location"), "/#error=email-not-verified");
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

/// The code that a browser brings back behind the `#`.
async fn code(shop: &TestShop) -> String {
    let begin = begun(shop, "work", "?returnTo=/account", None).await;
    let answer = back(shop, "work", &query(&begin, "7|ada@example.org"), &begin.cookie).await.done(302);
    answer.head("location").strip_prefix("/account#code=").unwrap().to_owned()
}

async fn exchange(shop: &TestShop, code: &str) -> Answer {
    shop.send(Call::post("/api/auth/oidc/exchange", &json!({"code": code}))).await
}

#[tokio::test]
async fn a_code_behind_the_hash_is_taken_for_tokens_as_a_sign_in_is_answered() {
    let shop = TestShop::open().await;
    let signed_in = exchange(&shop, &code(&shop).await).await.done(200);
    assert_eq!(signed_in.head("cache-control"), "no-store");
    let login = signed_up(&shop, "bob@example.org").await;
    let fields = |answer: &Answer| answer.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&signed_in), fields(&login));
    let valid = shop.as_user(&signed_in.text("accessToken"), Call::get("/api/auth/validate")).await.done(200);
    assert_eq!(valid.text("subject"), signed_in.text("id"));
    let refresh = json!({"refreshToken": signed_in.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.done(200);
}

#[tokio::test]
async fn wrong_used_and_expired_codes_are_refused_in_the_same_words() {
    let shop = TestShop::open().await;
    let used = code(&shop).await;
    exchange(&shop, &used).await.done(200);
    let late = code(&shop).await;
    shop.pass(60);
    let refresh_token = signed_up(&shop, "bob@example.org").await.text("refreshToken");
    let mut said = Vec::new();
    for refused in [&used, &late, &refresh_token, "", "x", &"A".repeat(100), &"A".repeat(100_000)] {
        let mut body = exchange(&shop, refused).await.refused(401, "unauthenticated").body;
        body["correlationId"] = Value::Null;
        said.push(body);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    for (body, at) in
        [(json!({}), "/code"), (json!({"code": 1}), "/code"), (json!({"code": "x", "y": 1}), "/y")]
    {
        let answer = shop.send(Call::post("/api/auth/oidc/exchange", &body)).await;
        assert_eq!(answer.refused(422, "validation-failed").body["errors"][0]["pointer"], at);
    }
    // A code is no refresh token either.
    let early = json!({"refreshToken": code(&shop).await});
    shop.send(Call::post("/api/auth/refresh", &early)).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_code_that_two_have_signs_nobody_in_for_long() {
    let shop = TestShop::open().await;
    let stolen = code(&shop).await;
    let first = exchange(&shop, &stolen).await.done(200);
    exchange(&shop, &stolen).await.refused(401, "unauthenticated");
    let validate = Call::get("/api/auth/validate");
    shop.as_user(&first.text("accessToken"), validate.clone()).await.refused(401, "unauthenticated");
    let refresh = json!({"refreshToken": first.text("refreshToken")});
    shop.send(Call::post("/api/auth/refresh", &refresh)).await.refused(401, "unauthenticated");
    // Of two at once, one is answered at most, and it has no session.
    let raced = code(&shop).await;
    let (one, two) = tokio::join!(exchange(&shop, &raced), exchange(&shop, &raced));
    let answered: Vec<_> = [one, two].into_iter().filter(|answer| answer.status == 200).collect();
    assert!(answered.len() <= 1);
    for answer in answered {
        shop.as_user(&answer.text("accessToken"), validate.clone()).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_code_dies_with_the_sessions_of_its_account() {
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
async fn a_code_is_kept_as_a_hash_alone() {
    let shop = TestShop::open().await;
    let code = code(&shop).await;
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &code).unwrap();
    // Behind the session's id stands the secret.
    let secret = &bytes[16..48];
    for spelling in
        [code.as_bytes().to_vec(), secret.to_vec(), format!("{secret:?}").replace(' ', "").into_bytes()]
    {
        assert!(!shop.holds(&spelling), "it lies in the data folder");
    }
    let hash = RefreshToken::decode(&code, &shop.ports.keys.sign_in_code).unwrap().hash();
    let hash = format!("{hash:?}").replace(' ', "");
    assert!(shop.holds(hash.as_bytes()), "the hash is there, so the search finds what lies there");
}

#[tokio::test]
async fn a_provider_that_is_down_or_nobody_knows_is_said_to_be() {
    let shop = TestShop::open().await;
    let down = shop.send(Call::get("/api/auth/oidc/down/start")).await.refused(503, "upstream-unavailable");
    assert!(down.text("detail").contains("`down`") && down.head("retry-after") == "5");
    for path in ["nobody/start", "nobody/callback?state=a&code=b", "WORK/start"] {
        shop.send(Call::get(&format!("/api/auth/oidc/{path}"))).await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn an_identity_is_unlinked_unless_it_is_the_last_way_to_sign_in() {
    let shop = TestShop::open().await;
    let unlink = |provider: &str| Call::delete(&format!("/api/auth/oidc/{provider}"));
    shop.send(unlink("work")).await.refused(401, "unauthenticated");
    let ada = through(&shop, "work", "7|ada@example.org", None).await.done(200);
    let token = ada.text("accessToken");
    shop.as_user(&token, unlink("home")).await.refused(404, "not-found");
    shop.as_user(&token, unlink("elsewhere")).await.refused(404, "not-found");
    shop.as_user(&token, unlink("work")).await.refused(409, "last-way-to-sign-in");
    through(&shop, "home", "8|ada@example.org", Some(&token)).await.done(200);
    shop.as_user(&token, unlink("work")).await.done(204);
    shop.as_user(&token, unlink("home")).await.refused(409, "last-way-to-sign-in");
    let trail = shop.as_user(&token, Call::get("/api/auth/audit")).await.done(200);
    assert_eq!(trail.body["items"][0]["kind"], "provider-unlinked");
    // With a password that was set as the refusal advises, the last one goes too.
    let reset = json!({"email": "ada@example.org"});
    shop.send(Call::post("/api/auth/password/reset", &reset)).await.done(202);
    shop.until_mails(&ada.text("id"), 1).await;
    let confirm = json!({"token": mailed(&shop, &ada.text("id")), "password": PASSWORD});
    shop.send(Call::post("/api/auth/password/reset/confirm", &confirm)).await.done(204);
    let signed_in = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    shop.as_user(&signed_in.text("accessToken"), unlink("home")).await.done(204);
    // The identity means nobody any more: the account is not taken over by its e-mail address either.
    through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
}
