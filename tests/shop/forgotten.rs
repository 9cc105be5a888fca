//! Erasures: nothing of a person is left in any file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde_json::{Value, json};

use super::people::orders_as_guest;
use super::process::{Shop, lines, souk};
use super::stocked;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// The payment token of an order; its provider's part is found nowhere else.
const TOKEN: &str = "tok_slow_00000000000000017";
/// An id of a request, as a client might make it.
const CORRELATION: &str = "visit-of-quillfeather@nether-wallop";
/// Texts that identify one person, each found nowhere else.
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

/// Somebody with an account, as they are answered when they sign up.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

pub(crate) async fn sign_up(shop: &Shop, email: &str, name: &str) -> Person {
    let body = json!({"email": email, "password": PASSWORD, "name": name});
    let (status, answer) = shop.send("POST", "/api/auth/signup", &body, &[]).await;
    assert_eq!(status, 201, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Person { id: text("id"), token: text("accessToken"), refresh: text("refreshToken") }
}

impl Person {
    pub(crate) async fn send(&self, shop: &Shop, method: &str, path: &str, body: &Value) -> (u16, Value) {
        shop.send(method, path, body, &[("authorization", &format!("Bearer {}", self.token))]).await
    }
}

/// A text in every form in which it could lie in a file.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut escaped = String::new();
    for unit in secret.encode_utf16() {
        match char::from_u32(u32::from(unit)).filter(char::is_ascii) {
            Some(c) => escaped.push(c),
            None => write!(escaped, "\\u{unit:04x}").unwrap(),
        }
    }
    let utf16 = |bytes: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        escaped.into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    // Inside a longer text that was encoded, it begins at any of three places. All digits that are its own
    // are looked for: of fewer, any sealed value has some by chance.
    for before in ["", "x", "xx"] {
        let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{before}{secret}"));
        let own = (before.len() * 8).div_ceil(6)..(before.len() + secret.len()) * 8 / 6;
        forms.push(encoded.as_bytes()[own].to_vec());
    }
    assert!(forms.iter().all(|form| form.len() >= secret.len()), "{secret}");
    forms
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The keyed hash of the e-mail address, in a folder that has the key.
fn email_hash(folder: &Path) -> Option<String> {
    let keys = souk_http::Keys::read(folder).ok()?;
    let hash = souk_domain::Email::parse(SECRETS[0]).unwrap().hash(&keys.email_hash);
    Some(hash.as_str().to_owned())
}

/// Lists the files that still hold something of the person.
pub(crate) fn traces(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    files(folder, &mut found);
    let hash = email_hash(folder);
    let mut traces = Vec::new();
    for file in found {
        let bytes = std::fs::read(&file).unwrap();
        for secret in SECRETS.into_iter().chain([TOKEN, CORRELATION]).chain(hash.as_deref()) {
            if forms(secret).iter().any(|form| memchr::memmem::find(&bytes, form).is_some()) {
                traces.push(format!("{secret} in {}", file.display()));
            }
        }
    }
    traces
}

#[test]
fn a_trace_is_seen_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for (n, form) in forms(SECRETS[1]).into_iter().enumerate() {
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

/// Somebody signs up, writes addresses, orders, pays, and puts more into their cart.
pub(crate) async fn lives(shop: &Shop) -> Person {
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
    let path = format!("/api/orders/{}/cancel", placed["id"].as_str().unwrap());
    let (status, cancelled) = zoe.send(shop, "POST", &path, &json!({"reason": SECRETS[7]})).await;
    assert_eq!(status, 200, "{cancelled}");
    shop.until(path.trim_end_matches("/cancel"), |order| order["payment"]["status"] == "REFUNDED").await;
    let item = json!({"sku": "LAMP", "quantity": 1});
    let (status, added) = zoe.send(shop, "POST", "/api/cart/items", &item).await;
    assert_eq!(status, 200, "{added}");
    zoe
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_means_forgotten() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let zoe = lives(&shop).await;
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
    assert!(
        !export.to_string().contains(&shop.mailed_token()),
        "a mail's token is for who reads the mailbox"
    );
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().join("backup");
    assert!(souk(shop.folder(), &["log", "backup", to.to_str().unwrap()]).status.success());
    let sales = shop.get("/api/orders/admin/sales").await.1;
    let (status, answer) = zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(zoe.send(&shop, "GET", "/api/users/me", &Value::Null).await.0, 401);
    let refresh = json!({"refreshToken": zoe.refresh});
    assert_eq!(shop.send("POST", "/api/auth/refresh", &refresh, &[]).await.0, 401);
    shop.until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1).await;
    let order = shop.get("/api/orders?addressErased=true").await.1["items"][0].clone();
    assert_eq!((&order["addressErased"], &order["shippingAddress"]), (&json!(true), &Value::Null));
    let ship = format!("/api/orders/{}/ship", order["id"].as_str().unwrap());
    assert_eq!(shop.post(&ship, &json!({"carrier": "post"})).await.1["code"], "order-address-erased");
    let sold_since = shop.get("/api/orders/admin/sales").await.1;
    assert_eq!(sales["total"], sold_since["total"]);
    let (code, told) = lines(shop.folder(), &["replay", "--all", "--fast"]);
    assert_eq!((code, &told[0]["different"]), (Some(0), &json!(0)), "{told:?}");
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

/// Passes of one place in an erasure, at most.
const PASSES_MAX: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_is_killed_at_any_step_completes() {
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
            assert!(pass < PASSES_MAX, "{place} is passed again and again");
        }
        assert!(pass > 1, "{place} is not passed");
    }
}

/// Beside the real keys: those of other tests are there for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_nobody_is_not_found() {
    let shop = Shop::start(&[]).await;
    let bearer = shop.bearer();
    let headers = [("authorization", bearer.as_str())];
    for nobody in ["00000000-0000-0000-0000-000000000000", "erp-9"] {
        let path = format!("/api/users/{nobody}");
        let (status, problem) = shop.send("DELETE", &path, &Value::Null, &headers).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not-found")), "{nobody}");
    }
}

/// Returns true if the shop was killed at a pass of a place. The erasure completes in any case.
async fn is_killed_while_erasing(place: &str, pass: u32) -> bool {
    let at = format!("{place}:{pass}");
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let zoe = lives(&shop).await;
    shop.until_quiet().await;
    let folder = shop.stop();
    let shop = Shop::open(folder, &[("SOUK_FAIL_POINT", &at)]).await;
    let login = json!({"email": SECRETS[0], "password": PASSWORD});
    let (status, answer) = shop.send("POST", "/api/auth/login", &login, &[]).await;
    assert_eq!(status, 200, "{at}");
    let zoe = Person { token: answer["accessToken"].as_str().unwrap().to_owned(), ..zoe };
    let password = json!({"password": PASSWORD});
    let bearer = format!("Bearer {}", zoe.token);
    let headers = [("authorization", bearer.as_str())];
    let answer = shop.try_send("DELETE", "/api/users/me", &password, &headers).await;
    let was_killed = answer.is_err() || shop.is_killed_before_settled().await;
    let shop = if was_killed { shop } else { shop.kill().await };
    let shop = shop.restart().await;
    if was_killed {
        let (status, answer) = zoe.send(&shop, "DELETE", "/api/users/me", &password).await;
        assert!([202, 401, 404].contains(&status), "{at}: {status} {answer}");
    }
    shop.until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1).await;
    let second = sign_up(&shop, SECRETS[0], "Zoe").await;
    let path = format!("/api/users/{}", second.id);
    let (status, _) = shop.send("DELETE", &path, &Value::Null, &[("authorization", &shop.bearer())]).await;
    assert_eq!(status, 202, "{at}");
    shop.until_settled().await;
    assert_eq!(traces(shop.stop().path()), Vec::<String>::new(), "{at}");
    was_killed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_was_never_a_customer_is_forgotten_too() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let placed = orders_as_guest(&shop).await;
    let lookup = json!({"code": placed["code"], "email": SECRETS[0]});
    shop.get("/api/orders").await;
    assert_eq!(shop.send("POST", "/api/orders/lookup", &lookup, &[]).await.0, 200);
    let sales = shop.get("/api/orders/admin/sales").await.1;
    assert_eq!(shop.send("POST", "/api/orders/lookup/erase", &lookup, &[]).await.0, 202);
    shop.until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1).await;
    assert_eq!(shop.send("POST", "/api/orders/lookup", &lookup, &[]).await.0, 404);
    shop.until_settled().await;
    let folder = shop.stop();
    assert_eq!(traces(folder.path()), Vec::<String>::new());
    std::fs::remove_file(folder.path().join("read-models.sqlite")).unwrap();
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get("/api/orders/admin/sales").await.1["total"], sales["total"]);
    assert_eq!(traces(shop.stop().path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_erasure_that_is_killed_at_any_step_completes() {
    for place in ["log-after-commit", "person-key-before-erasure", "person-key-destroyed"] {
        let shop = Shop::start(&[]).await;
        stocked(&shop, "LAMP", 10).await;
        let placed = orders_as_guest(&shop).await;
        shop.until_quiet().await;
        let folder = shop.stop();
        let shop = Shop::open(folder, &[("SOUK_FAIL_POINT", &format!("{place}:1"))]).await;
        let lookup = json!({"code": placed["code"], "email": SECRETS[0]});
        let answer = shop.try_send("POST", "/api/orders/lookup/erase", &lookup, &[]).await;
        assert!(answer.is_err() || shop.is_killed_before_settled().await, "{place} is not passed");
        let shop = shop.restart().await;
        shop.until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1)
            .await;
        shop.until_settled().await;
        assert_eq!(traces(shop.stop().path()), Vec::<String>::new(), "{place}");
    }
}

/// The names of streams in what an administrator sees of one request.
fn claims_in(correlation: &Value) -> Vec<String> {
    let text = correlation.to_string();
    let names = text.split('"').filter(|name| name.starts_with("claim-email-")).map(str::to_owned);
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_cannot_compare_an_erased_account_with_a_probe_of_the_same_address() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let sign_up_as = async |name: &str, correlation: &str| {
        let body = json!({"email": SECRETS[0], "password": PASSWORD, "name": name});
        let headers = [("x-correlation-id", correlation)];
        let (status, answer) = shop.send("POST", "/api/auth/signup", &body, &headers).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    };
    let seen = async |correlation: &str| shop.get(&format!("/api/admin/correlations/{correlation}")).await.1;
    let of_user = async |user: &str| shop.get(&format!("/api/admin/streams/user-{user}")).await.1.to_string();
    orders_as_guest(&shop).await;
    let zoe = sign_up_as("Zoe", "4f1e01").await;
    let path = format!("/api/users/{zoe}");
    let bearer = shop.bearer();
    assert_eq!(shop.send("DELETE", &path, &Value::Null, &[("authorization", &bearer)]).await.0, 202);
    let probe = sign_up_as("Probe", "4f1e02").await;
    let claims = [claims_in(&seen("4f1e01").await), claims_in(&seen("4f1e02").await)];
    assert!(claims.iter().all(|claims| !claims.is_empty()), "{claims:?}");
    assert!(claims[0].iter().all(|claim| !claims[1].contains(claim)), "{claims:?}");
    let hash = email_hash(shop.folder()).unwrap();
    let order = shop.get("/api/orders").await.1["items"][0]["id"].as_str().unwrap().to_owned();
    let placed = shop.get(&format!("/api/admin/streams/order-{order}")).await.1.to_string();
    for shown in [of_user(&zoe).await, of_user(&probe).await, placed] {
        assert!(!shown.contains("emailHash") && !shown.contains(&hash), "{shown}");
    }
}
