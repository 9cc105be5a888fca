//! `/api/auth/oidc/…`, with providers that say what they are told to.

use async_trait::async_trait;
use serde_json::{Value, json};
use souk_accounts::identity_provider::{Begun, Flow, Identity};
use souk_accounts::{IdentityProviders, ProviderFailed};
use souk_domain::Email;

use crate::auth::{PASSWORD, signed_up};
use crate::shop::{Answer, Call, TestShop};

/// `work` and `home` take a code for the subject and e-mail address in it, as in `7|ada@example.org`; `down`
/// can't be asked.
pub(crate) struct Scripted;

#[async_trait]
impl IdentityProviders for Scripted {
    fn has(&self, name: &str) -> bool {
        ["work", "home", "down"].contains(&name)
    }

    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<Begun, ProviderFailed> {
        if name == "down" {
            return Err(ProviderFailed::Unavailable("it is down".to_owned()));
        }
        let text = str::to_owned;
        let url = format!("https://{name}.example/authorize?redirect_uri={redirect_uri}");
        Ok(Begun {
            url,
            issuer: format!("https://{name}.example"),
            state: format!("state of {name}"),
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

/// Begins a sign-in: the cookie that the browser carries.
async fn begun(shop: &TestShop, provider: &str, query: &str, token: Option<&str>) -> String {
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
    cookie.split(';').next().unwrap().to_owned()
}

async fn back(shop: &TestShop, provider: &str, query: &str, cookie: &str) -> Answer {
    let path = format!("/api/auth/oidc/{provider}/callback?{query}");
    shop.send(Call::get(&path).header("cookie", cookie)).await
}

fn query(provider: &str, code: &str) -> String {
    format!("state=state%20of%20{provider}&code={}&session_state=whatever", code.replace('|', "%7C"))
}

/// Begins and comes back.
async fn through(shop: &TestShop, provider: &str, code: &str, token: Option<&str>) -> Answer {
    let cookie = begun(shop, provider, "", token).await;
    back(shop, provider, &query(provider, code), &cookie).await
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
    let good = query("work", "7|ada@example.org");
    for (provider, query, cookie) in [
        ("work", good.clone(), String::new()),
        ("work", good.clone(), "souk-sign-in=forged".to_owned()),
        ("work", good.clone(), home.clone()),
        ("home", good.clone(), work.clone()),
        ("home", query("home", "7|x@example.org"), work.clone()),
        ("work", query("home", "7|x@example.org"), work.clone()),
        ("work", "code=7".to_owned(), work.clone()),
        ("work", String::new(), work.clone()),
        ("work", format!("{good}&iss=https%3A%2F%2Fhome.example"), work.clone()),
    ] {
        back(&shop, provider, &query, &cookie).await.refused(400, "sign-in-not-begun");
    }
    let denied = "state=state%20of%20work&error=access_denied";
    back(&shop, "work", denied, &work).await.refused(403, "sign-in-refused");
    back(&shop, "work", &format!("{good}&iss=https%3A%2F%2Fwork.example"), &work).await.done(200);
    shop.pass(11 * 60);
    back(&shop, "work", &good, &work).await.refused(400, "sign-in-not-begun");
}

#[tokio::test]
async fn a_browser_comes_back_to_a_path_of_this_site_alone() {
    let shop = TestShop::open().await;
    let cookie = begun(&shop, "work", "?returnTo=/account%3Fa%3Db", None).await;
    let answer = back(&shop, "work", &query("work", "7|ada@example.org"), &cookie).await.done(302);
    let (path, token) = answer.head("location").split_once("#refreshToken=").unwrap();
    assert_eq!(path, "/account?a=b");
    let refreshed = shop.send(Call::post("/api/auth/refresh", &json!({"refreshToken": token}))).await;
    assert_ne!(refreshed.done(200).body["accessToken"], Value::Null);
    let cookie = begun(&shop, "work", "?returnTo=/", None).await;
    let answer = back(&shop, "work", &query("work", "8|"), &cookie).await.done(302);
    assert_eq!(answer.head("location"), "/#error=email-not-verified");
    for elsewhere in
        ["//evil.example", "https://evil.example", "/%5Cevil.example", "%09/x", "account", "", "/a%23b"]
    {
        let start = Call::get(&format!("/api/auth/oidc/work/start?returnTo={elsewhere}"));
        shop.send(start).await.refused(400, "invalid-parameter");
    }
    let long = format!("/api/auth/oidc/work/start?returnTo=/{}", "x".repeat(600));
    shop.send(Call::get(&long)).await.refused(400, "invalid-parameter");
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
