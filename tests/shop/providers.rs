//! Sign-in through the server of a real identity provider. A minimal browser loads its pages, keeps its
//! cookies and sends its forms.

use serde_json::{Value, json};
use souk_servers::{Browser, Client, OpenIdProvider, Page, free_port};

use super::process::{Shop, souk};

/// Starts a shop and an identity provider that are configured for each other.
async fn shop_and_provider() -> (Shop, OpenIdProvider) {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let client = Client {
        id: "souk".to_owned(),
        secret: "tell nobody".to_owned(),
        redirect_uri: format!("http://{address}/api/auth/oidc/work/callback"),
    };
    let provider = OpenIdProvider::start(free_port().unwrap(), client).unwrap();
    let variables = [
        ("SOUK_OIDC_WORK_ISSUER", provider.issuer()),
        ("SOUK_OIDC_WORK_CLIENT_ID", "souk"),
        ("SOUK_OIDC_WORK_CLIENT_SECRET", "tell nobody"),
    ];
    let shop = Shop::start_at(&address, &variables).await;
    (shop, provider)
}

/// Signs a person in through all pages. Returns the last page of the shop.
async fn sign_in(shop: &Shop, login: &str, query: &str) -> Page {
    let begin = format!("{}/api/auth/oidc/work/start{query}", shop.address());
    let back = format!("{}/api/auth/oidc/work/callback", shop.address());
    let login = login.to_owned();
    let pages = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::default();
        let callback = browser.sign_in(&begin, &login, &back).unwrap();
        let page = browser.get(&callback).unwrap();
        let again = browser.get(&callback).unwrap();
        assert!(again.status == 400 && again.body.contains("sign-in-not-begun"), "{again:?}");
        page
    });
    pages.await.unwrap()
}

// Proves: sign-in.provider-sign-in
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_through_a_provider_and_gets_a_new_account_after_an_erasure() {
    let (shop, mut provider) = shop_and_provider().await;
    let page = sign_in(&shop, "ada@example.org", "").await;
    assert_eq!(page.status, 200, "{page:?}");
    let ada: Value = serde_json::from_str(&page.body).unwrap();
    let bearer = format!("Bearer {}", ada["accessToken"].as_str().unwrap());
    let me = shop.send("GET", "/api/users/me", &Value::Null, &[("authorization", &bearer)]).await.1;
    assert_eq!((&me["email"], &me["emailVerified"]), (&json!("ada@example.org"), &json!(true)), "{me}");
    assert_eq!(me["name"], "Name of ada@example.org");
    // With `returnTo`, the browser gets a code in the fragment of this path.
    let page = sign_in(&shop, "ada@example.org", "?returnTo=/account").await;
    let location = page.location.unwrap();
    let code = location.strip_prefix("/account#code=").unwrap();
    let again = shop.send("POST", "/api/auth/oidc/exchange", &json!({"code": code}), &[]).await;
    assert_eq!((again.0, &again.1["id"]), (200, &ada["id"]));
    // An existing account must be linked by its owner first.
    let bob = json!({"email": "bob@example.org", "password": "correct horse battery", "name": "Bob"});
    assert_eq!(shop.send("POST", "/api/auth/signup", &bob, &[]).await.0, 201);
    let refused = sign_in(&shop, "bob@example.org", "?returnTo=/").await;
    assert_eq!(refused.location.as_deref(), Some("/#error=account-not-linked"));
    let refused = sign_in(&shop, "unverified@example.org", "").await;
    assert!(refused.status == 403 && refused.body.contains("email-not-verified"), "{refused:?}");
    // After the erasure, the same login gets a new account.
    let bearer = format!("Bearer {}", again.1["accessToken"].as_str().unwrap());
    let erased = shop.send("DELETE", "/api/users/me", &json!({}), &[("authorization", &bearer)]).await;
    assert_eq!(erased.0, 202, "{erased:?}");
    shop.wait_until_settled().await;
    let page = sign_in(&shop, "ada@example.org", "").await;
    let new_account: Value = serde_json::from_str(&page.body).unwrap();
    assert_ne!(new_account["id"], ada["id"]);
    // Other sign-ins work while the provider is down.
    provider.stop();
    let login = json!({"email": "bob@example.org", "password": "correct horse battery"});
    assert_eq!(shop.send("POST", "/api/auth/login", &login, &[]).await.0, 200);
}

#[test]
fn an_error_in_the_configuration_of_a_provider_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("souk.toml"), "[oidc.work]\nissuer = \"http://accounts.example\"\n")
        .unwrap();
    let file = folder.path().join("souk.toml").display().to_string();
    let output = souk(folder.path(), &["config", "--config", &file]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("SOUK_OIDC_WORK_ISSUER"), "{error}");
}
