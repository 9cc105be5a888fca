//! Erasures: after an erasure, no file holds data of the person.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde_json::{Value, json};

use super::add_stock;
use super::people::place_guest_order;
use super::process::{Shop, lines, souk};

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Payment token of an order. Its number occurs nowhere else.
const TOKEN: &str = "tok_slow_00000000000000017";
/// A correlation id that a client chose, with personal data in it.
const CORRELATION: &str = "visit-of-quillfeather@nether-wallop";
/// Texts that identify one person. Each of them occurs nowhere else.
pub(crate) const SECRETS: [&str; 8] = [
    "zoe.quillfeather@example.org",
    "Zoë Quillfeather",
    "17 Umberfold Crescent",
    "Nether Wallopshire",
    "QX7 9ZZ",
    "+44 1632 960 961",
    "the upstairs neighbour of Quillfeather",
    "my sister in Wallopshire had ordered the same",
];

pub(crate) fn address() -> Value {
    json!({"name": SECRETS[1], "line1": SECRETS[2], "line2": SECRETS[6], "city": SECRETS[3],
        "postalCode": SECRETS[4], "country": "GB", "phone": SECRETS[5]})
}

/// A person with an account, as in the response to the sign-up.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

pub(crate) async fn sign_up(shop: &Shop, email: &str, name: &str) -> Person {
    let body = json!({"email": email, "password": PASSWORD, "name": name});
    let (status, response) = shop.send("POST", "/api/auth/signup", &body, &[]).await;
    assert_eq!(status, 201, "{response}");
    let text = |name: &str| response[name].as_str().unwrap().to_owned();
    Person { id: text("id"), token: text("accessToken"), refresh: text("refreshToken") }
}

impl Person {
    pub(crate) async fn send(&self, shop: &Shop, method: &str, path: &str, body: &Value) -> (u16, Value) {
        shop.send(method, path, body, &[("authorization", &format!("Bearer {}", self.token))]).await
    }
}

/// Returns a text in every encoding that a file might have.
fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let mut escaped = String::new();
    for unit in secret.encode_utf16() {
        match char::from_u32(u32::from(unit)).filter(char::is_ascii) {
            Some(c) => escaped.push(c),
            None => write!(escaped, "\\u{unit:04x}").unwrap(),
        }
    }
    let utf16 = |bytes: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut encodings = vec![
        secret.as_bytes().to_vec(),
        escaped.into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    // In a longer Base64 text, the secret can begin at three different bit offsets. Only the digits that
    // depend on the secret alone are searched, but all of them, because a sealed value may have a shorter
    // sequence by chance.
    for before in ["", "x", "xx"] {
        let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{before}{secret}"));
        let own = (before.len() * 8).div_ceil(6)..(before.len() + secret.len()) * 8 / 6;
        encodings.push(encoded.as_bytes()[own].to_vec());
    }
    assert!(encodings.iter().all(|form| form.len() >= secret.len()), "{secret}");
    encodings
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Returns the keyed hash of the e-mail address, if the folder has the key.
fn email_hash(folder: &Path) -> Option<String> {
    let keys = souk_http::Keys::read(folder).ok()?;
    let hash = souk_domain::Email::parse(SECRETS[0]).unwrap().hash(&keys.email_hash);
    Some(hash.as_str().to_owned())
}

/// Lists the files that still hold a text of the person.
pub(crate) fn traces(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    files(folder, &mut found);
    let hash = email_hash(folder);
    let mut traces = Vec::new();
    for file in found {
        let bytes = std::fs::read(&file).unwrap();
        for secret in SECRETS.into_iter().chain([TOKEN, CORRELATION]).chain(hash.as_deref()) {
            if encodings(secret).iter().any(|form| memchr::memmem::find(&bytes, form).is_some()) {
                traces.push(format!("{secret} in {}", file.display()));
            }
        }
    }
    traces
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let folder = tempfile::tempdir().unwrap();
    for (n, form) in encodings(SECRETS[1]).into_iter().enumerate() {
        std::fs::write(
            folder.path().join(n.to_string()),
            [b"some".to_vec(), form, b"thing".to_vec()].concat(),
        )
        .unwrap();
        assert_eq!(traces(folder.path()).len(), n + 1);
    }
    for (n, (before, after)) in
        [("", "…"), ("\"", "\""), ("{\"", "\":1}"), ("abc", "")].into_iter().enumerate()
    {
        let text = BASE64_STANDARD.encode(format!("{before}{}{after}", SECRETS[4]));
        std::fs::write(folder.path().join("encoded"), text).unwrap();
        let found = traces(folder.path());
        assert!(found.iter().any(|trace| trace.ends_with("encoded")), "{n}: {found:?}");
    }
}

/// Creates a customer with a profile, an address, a paid order, a cancelled order with a note of staff, and a
/// cart.
pub(crate) async fn create_customer(shop: &Shop) -> Person {
    let zoe = sign_up(shop, SECRETS[0], SECRETS[1]).await;
    let profile = json!({"name": SECRETS[1], "phone": SECRETS[5]});
    assert_eq!(zoe.send(shop, "PUT", "/api/users/me", &profile).await.0, 200);
    let mut entry = address();
    entry["default"] = json!(true);
    assert_eq!(zoe.send(shop, "POST", "/api/users/me/addresses", &entry).await.0, 201);
    let order = json!({"lines": [{"sku": "LAMP", "quantity": 1}], "payment": {"token": "tok_ok"},
        "shippingAddress": address()});
    let (status, placed) = zoe.send(shop, "POST", "/api/orders", &order).await;
    assert_eq!((status, placed["status"].as_str()), (201, Some("CONFIRMED")), "{placed}");
    let again = json!({"lines": [{"sku": "LAMP", "quantity": 1}], "payment": {"token": TOKEN}});
    let bearer = format!("Bearer {}", zoe.token);
    let headers =
        [("authorization", bearer.as_str()), ("x-correlation-id", CORRELATION), ("prefer", "wait=20")];
    let (status, placed) = shop.send("POST", "/api/orders", &again, &headers).await;
    assert_eq!((status, placed["status"].as_str()), (201, Some("CONFIRMED")), "{placed}");
    let order_path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    let note = json!({"text": format!("call {}", SECRETS[1])});
    assert_eq!(shop.post(&format!("{order_path}/notes"), &note).await.0, 201);
    let path = format!("{order_path}/cancel");
    let (status, cancelled) = zoe.send(shop, "POST", &path, &json!({"reason": SECRETS[7]})).await;
    assert_eq!(status, 200, "{cancelled}");
    shop.wait_until(&order_path, |order| order["payment"]["status"] == "REFUNDED").await;
    let item = json!({"sku": "LAMP", "quantity": 1});
    let (status, added) = zoe.send(shop, "POST", "/api/cart/items", &item).await;
    assert_eq!(status, 200, "{added}");
    zoe
}

// Proves: users.erasure-everywhere
#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_data_of_an_erased_customer() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let zoe = create_customer(&shop).await;
    shop.get("/api/orders").await;
    let (status, export) = zoe.send(&shop, "GET", "/api/users/me/export", &Value::Null).await;
    assert_eq!(status, 200);
    for secret in SECRETS {
        assert!(export.to_string().contains(secret), "{secret} is not in {export}");
    }
    assert_eq!(export["signIns"][0]["kind"], "signed-up", "{export}");
    assert_eq!(export["cart"]["lines"][0]["sku"], "LAMP", "{export}");
    let lengths = ["sessions", "mails"].map(|name| export[name].as_array().unwrap().len());
    assert_eq!((lengths, &export["allSignIns"]), ([1, 1], &json!(true)), "{export}");
    assert!(!export.to_string().contains(&shop.mailed_token()), "the export has no token of a mail");
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().join("backup");
    assert!(souk(shop.folder(), &["log", "backup", to.to_str().unwrap()]).status.success());
    let sales = shop.get("/api/orders/admin/sales").await.1;
    let (status, response) = zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await;
    assert_eq!(status, 202, "{response}");
    assert_eq!(zoe.send(&shop, "GET", "/api/users/me", &Value::Null).await.0, 401);
    let refresh = json!({"refreshToken": zoe.refresh});
    assert_eq!(shop.send("POST", "/api/auth/refresh", &refresh, &[]).await.0, 401);
    shop.wait_until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1)
        .await;
    let order = shop.get("/api/orders?addressErased=true").await.1["items"][0].clone();
    assert_eq!((&order["addressErased"], &order["shippingAddress"]), (&json!(true), &Value::Null));
    let ship = format!("/api/orders/{}/ship", order["id"].as_str().unwrap());
    assert_eq!(shop.post(&ship, &json!({"carrier": "post"})).await.1["code"], "order-address-erased");
    let sold_since = shop.get("/api/orders/admin/sales").await.1;
    assert_eq!(sales["total"], sold_since["total"]);
    let (code, printed) = lines(shop.folder(), &["replay", "--all", "--fast"]);
    assert_eq!((code, &printed[0]["different"]), (Some(0), &json!(0)), "{printed:?}");
    let folder = shop.stop();
    assert_eq!(traces(folder.path()), Vec::<String>::new());
    std::fs::create_dir_all(backup.path().join("keys")).unwrap();
    std::fs::copy(folder.path().join("keys/secret"), backup.path().join("keys/secret")).unwrap();
    assert_eq!(traces(backup.path()), Vec::<String>::new());
    std::fs::remove_file(folder.path().join("read-models.sqlite")).unwrap();
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get("/api/orders/admin/sales").await.1["total"], sales["total"]);
    assert_eq!(shop.get("/api/orders?addressErased=true").await.1["items"].as_array().unwrap().len(), 1);
    let folder = shop.stop();
    assert_eq!(traces(folder.path()), Vec::<String>::new());
    assert!(souk(folder.path(), &["log", "verify"]).status.success());
}

/// Limit of passes of one fail point in an erasure.
const PASSES_MAX: u32 = 20;

// Proves: users.erasure-completes
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_completes_after_a_kill_at_any_step() {
    for place in [
        "person-key-before-erasure",
        "person-key-destroyed",
        "person-alias-deleted",
        "log-in-group",
        "log-after-commit",
    ] {
        let mut pass = 1;
        while is_killed_while_erasing(place, pass).await {
            pass += 1;
            assert!(pass < PASSES_MAX, "{place} is passed too often");
        }
        assert!(pass > 1, "{place} is not passed");
    }
}

/// Uses the real store of keys. The stores of other tests have a key for every person.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_an_unknown_user_gets_404() {
    let shop = Shop::start(&[]).await;
    let bearer = shop.bearer();
    let headers = [("authorization", bearer.as_str())];
    for user in ["00000000-0000-0000-0000-000000000000", "erp-9"] {
        let path = format!("/api/users/{user}");
        let (status, problem) = shop.send("DELETE", &path, &Value::Null, &headers).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not-found")), "{user}");
    }
}

/// Kills the shop at a fail point during an erasure, and checks that the erasure completes. Returns true if
/// the fail point was reached.
async fn is_killed_while_erasing(place: &str, pass: u32) -> bool {
    let at = format!("{place}:{pass}");
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let zoe = create_customer(&shop).await;
    shop.wait_until_quiet().await;
    let folder = shop.stop();
    let shop = Shop::open(folder, &[("SOUK_FAIL_POINT", &at)]).await;
    let login = json!({"email": SECRETS[0], "password": PASSWORD});
    let (status, response) = shop.send("POST", "/api/auth/login", &login, &[]).await;
    assert_eq!(status, 200, "{at}");
    let zoe = Person { token: response["accessToken"].as_str().unwrap().to_owned(), ..zoe };
    let password = json!({"password": PASSWORD});
    let bearer = format!("Bearer {}", zoe.token);
    let headers = [("authorization", bearer.as_str())];
    let response = shop.try_send("DELETE", "/api/users/me", &password, &headers).await;
    let was_killed = response.is_err() || shop.killed_before_settled().await;
    let shop = if was_killed { shop } else { shop.kill().await };
    let shop = shop.restart().await;
    if was_killed {
        let (status, response) = zoe.send(&shop, "DELETE", "/api/users/me", &password).await;
        assert!([202, 401, 404].contains(&status), "{at}: {status} {response}");
    }
    shop.wait_until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1)
        .await;
    let second = sign_up(&shop, SECRETS[0], "Zoe").await;
    let path = format!("/api/users/{}", second.id);
    let (status, _) = shop.send("DELETE", &path, &Value::Null, &[("authorization", &shop.bearer())]).await;
    assert_eq!(status, 202, "{at}");
    shop.wait_until_settled().await;
    assert_eq!(traces(shop.stop().path()), Vec::<String>::new(), "{at}");
    was_killed
}

// Proves: users.erasure-everywhere
#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_data_of_an_erased_guest() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let placed = place_guest_order(&shop).await;
    let lookup = json!({"code": placed["code"], "email": SECRETS[0]});
    shop.get("/api/orders").await;
    assert_eq!(shop.send("POST", "/api/orders/lookup", &lookup, &[]).await.0, 200);
    let sales = shop.get("/api/orders/admin/sales").await.1;
    assert_eq!(shop.send("POST", "/api/orders/lookup/erase", &lookup, &[]).await.0, 202);
    shop.wait_until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1)
        .await;
    assert_eq!(shop.send("POST", "/api/orders/lookup", &lookup, &[]).await.0, 404);
    shop.wait_until_settled().await;
    let folder = shop.stop();
    assert_eq!(traces(folder.path()), Vec::<String>::new());
    std::fs::remove_file(folder.path().join("read-models.sqlite")).unwrap();
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get("/api/orders/admin/sales").await.1["total"], sales["total"]);
    assert_eq!(traces(shop.stop().path()), Vec::<String>::new());
}

// Proves: users.erasure-completes
#[tokio::test(flavor = "multi_thread")]
async fn a_guests_erasure_completes_after_a_kill_at_any_step() {
    for place in ["log-after-commit", "person-key-before-erasure", "person-key-destroyed"] {
        let shop = Shop::start(&[]).await;
        add_stock(&shop, "LAMP", 10).await;
        let placed = place_guest_order(&shop).await;
        shop.wait_until_quiet().await;
        let folder = shop.stop();
        let shop = Shop::open(folder, &[("SOUK_FAIL_POINT", &format!("{place}:1"))]).await;
        let lookup = json!({"code": placed["code"], "email": SECRETS[0]});
        let response = shop.try_send("POST", "/api/orders/lookup/erase", &lookup, &[]).await;
        assert!(response.is_err() || shop.killed_before_settled().await, "{place} is not passed");
        let shop = shop.restart().await;
        shop.wait_until("/api/orders?addressErased=true", |list| {
            list["items"].as_array().unwrap().len() == 1
        })
        .await;
        shop.wait_until_settled().await;
        assert_eq!(traces(shop.stop().path()), Vec::<String>::new(), "{place}");
    }
}

/// Returns the names of the e-mail claims in the events of one correlation.
fn claims_in(correlation: &Value) -> Vec<String> {
    let text = correlation.to_string();
    let names = text.split('"').filter(|name| name.starts_with("claim-email-")).map(str::to_owned);
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_cannot_link_an_erased_account_to_a_new_account_with_the_same_address() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let sign_up_as = async |name: &str, correlation: &str| {
        let body = json!({"email": SECRETS[0], "password": PASSWORD, "name": name});
        let headers = [("x-correlation-id", correlation)];
        let (status, response) = shop.send("POST", "/api/auth/signup", &body, &headers).await;
        assert_eq!(status, 201, "{response}");
        response["id"].as_str().unwrap().to_owned()
    };
    let correlation_events =
        async |correlation: &str| shop.get(&format!("/api/admin/correlations/{correlation}")).await.1;
    let user_events =
        async |user: &str| shop.get(&format!("/api/admin/streams/user-{user}")).await.1.to_string();
    place_guest_order(&shop).await;
    let zoe = sign_up_as("Zoe", "4f1e01").await;
    let path = format!("/api/users/{zoe}");
    let bearer = shop.bearer();
    assert_eq!(shop.send("DELETE", &path, &Value::Null, &[("authorization", &bearer)]).await.0, 202);
    let probe = sign_up_as("Probe", "4f1e02").await;
    let claims =
        [claims_in(&correlation_events("4f1e01").await), claims_in(&correlation_events("4f1e02").await)];
    assert!(claims.iter().all(|claims| !claims.is_empty()), "{claims:?}");
    assert!(claims[0].iter().all(|claim| !claims[1].contains(claim)), "{claims:?}");
    let hash = email_hash(shop.folder()).unwrap();
    let order = shop.get("/api/orders").await.1["items"][0]["id"].as_str().unwrap().to_owned();
    let placed = shop.get(&format!("/api/admin/streams/order-{order}")).await.1.to_string();
    for shown in [user_events(&zoe).await, user_events(&probe).await, placed] {
        assert!(!shown.contains("emailHash") && !shown.contains(&hash), "{shown}");
    }
}
