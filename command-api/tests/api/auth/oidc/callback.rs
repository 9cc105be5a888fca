//! Tests of `GET /api/auth/oidc/{provider}/callback`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::auth::PASSWORD;
use crate::auth::oidc::{back, query, sign_in_through, start};

// Proves: sign-in.provider-sign-in
#[tokio::test]
async fn a_new_identity_gets_an_account_and_signs_in_to_it_later() {
    let shop = Shop::open().await;
    let first = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert!(first.header("set-cookie").starts_with("souk-sign-in=;"), "{}", first.header("set-cookie"));
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
async fn a_provider_response_without_the_announced_issuer_is_refused() {
    let shop = Shop::open().await;
    sign_in_through(&shop, "strict", "7|ada@example.org", None).await.refused(400, "sign-in-not-begun");
    let flow = start(&shop, "strict", "", None).await;
    let named = format!("{}&iss=https%3A%2F%2Fstrict.example", query(&flow, "7|ada@example.org"));
    back(&shop, "strict", &named, &flow.cookie).await.done(200);
}

// Proves: sign-in.provider-linking
#[tokio::test]
async fn an_identity_without_a_verified_address_gets_no_account() {
    let shop = Shop::open().await;
    sign_in_through(&shop, "work", "7|", None).await.refused(403, "email-not-verified");
    sign_in_through(&shop, "work", "7|\u{430}da@example.org", None).await.refused(403, "email-not-verified");
    sign_in_through(&shop, "work", "nonsense", None).await.refused(403, "sign-in-refused");
}

// Proves: sign-in.provider-callbacks
#[tokio::test]
async fn forged_replayed_and_mixed_up_states_are_refused() {
    let shop = Shop::open().await;
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
    assert_eq!(shop.send(head).await.status, 405);
    back(&shop, "home", &format!("{good}&iss=https%3A%2F%2Fhome.example"), &home.cookie).await.done(200);
    back(&shop, "home", &good, &home.cookie).await.refused(400, "sign-in-not-begun");
}

// Proves: sign-in.provider-callbacks
#[tokio::test]
async fn a_flow_expires_after_ten_minutes() {
    let shop = Shop::open().await;
    let flow = start(&shop, "work", "", None).await;
    shop.pass(11 * 60);
    back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie)
        .await
        .refused(400, "sign-in-not-begun");
}
