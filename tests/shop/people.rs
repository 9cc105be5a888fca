//! People: accounts, guests, and what is left of them when they are forgotten.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde_json::{Value, json};

use super::process::{Shop, lines, souk};
use super::stocked;

const PASSWORD: &str = "correct horse battery";
/// What tells who somebody is, each found nowhere else.
const SECRETS: [&str; 7] = [
    "zoe.quillfeather@example.org",
    "Zoë Quillfeather",
    "17 Umberfold Crescent",
    "Nether Wallopshire",
    "QX7 9ZZ",
    "+44 1632 960 961",
    "the upstairs neighbour of Quillfeather",
];

fn address() -> Value {
    json!({"name": SECRETS[1], "line1": SECRETS[2], "line2": SECRETS[6], "city": SECRETS[3],
        "postalCode": SECRETS[4], "country": "GB", "phone": SECRETS[5]})
}

/// Somebody with an account, as they are answered when they sign up.
struct Person {
    id: String,
    token: String,
    refresh: String,
}

async fn sign_up(shop: &Shop, email: &str, name: &str) -> Person {
    let body = json!({"email": email, "password": PASSWORD, "name": name});
    let (status, answer) = shop.send("POST", "/api/auth/signup", &body, &[]).await;
    assert_eq!(status, 201, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Person { id: text("id"), token: text("accessToken"), refresh: text("refreshToken") }
}

impl Person {
    async fn send(&self, shop: &Shop, method: &str, path: &str, body: &Value) -> (u16, Value) {
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

/// Where something of somebody is still to be read.
fn traces(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    files(folder, &mut found);
    let mut traces = Vec::new();
    for file in found {
        let bytes = std::fs::read(&file).unwrap();
        for secret in SECRETS {
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
async fn lives(shop: &Shop) -> Person {
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
    for place in ["person-key-before-erasure", "person-key-destroyed", "log-in-group", "log-after-commit"] {
        let mut pass = 1;
        while is_killed_while_erasing(place, pass).await {
            pass += 1;
            assert!(pass < PASSES_MAX, "{place} is passed again and again");
        }
        assert!(pass > 1, "{place} is not passed");
    }
}

/// Whether the shop was killed at a pass of a place; whether or not it was, the erasure completes.
async fn is_killed_while_erasing(place: &str, pass: u32) -> bool {
    let at = format!("{place}:{pass}");
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let zoe = lives(&shop).await;
    let folder = shop.stop();
    let shop = Shop::open(folder, &[("SOUK_FAIL_POINT", &at)]).await;
    let login = json!({"email": SECRETS[0], "password": PASSWORD});
    let (status, answer) = shop.send("POST", "/api/auth/login", &login, &[]).await;
    assert_eq!(status, 200, "{at}");
    let zoe = Person { token: answer["accessToken"].as_str().unwrap().to_owned(), ..zoe };
    let (password, bearer) = (json!({"password": PASSWORD}), format!("Bearer {}", zoe.token));
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

/// An order of a guest's with an address, confirmed.
async fn orders_as_guest(shop: &Shop) -> Value {
    let cart = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 1})).await;
    let order = json!({"cart": true, "email": SECRETS[0], "payment": {"token": "tok_ok"},
        "shippingAddress": address()});
    let (status, placed) = shop.send("POST", "/api/orders", &order, &[("x-cart-token", &cart)]).await;
    assert_eq!((status, &placed["status"]), (201, &json!("CONFIRMED")), "{placed}");
    placed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_order_that_comes_after_the_address_was_verified_becomes_theirs_too() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let token = shop.mailed_token();
    assert_eq!(shop.send("POST", "/api/auth/email/verify", &json!({"token": token}), &[]).await.0, 204);
    let placed = orders_as_guest(&shop).await;
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    shop.until(&path, |order| order["customerId"] == zoe.id.as_str()).await;
    let own = zoe.send(&shop, "GET", "/api/orders", &Value::Null).await.1;
    assert_eq!(own["items"][0]["shippingAddress"]["line1"], SECRETS[2], "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_orders_become_theirs_once_their_address_is_verified() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let placed = orders_as_guest(&shop).await;
    let lookup = json!({"code": placed["code"], "email": SECRETS[0]});
    let position = placed["position"].as_str().unwrap().to_owned();
    let (status, found) =
        shop.send("POST", "/api/orders/lookup", &lookup, &[("x-min-position", &position)]).await;
    assert_eq!((status, &found["shippingAddress"]["line1"]), (200, &json!(SECRETS[2])), "{found}");
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let own = zoe.send(&shop, "GET", "/api/orders", &Value::Null).await.1;
    assert_eq!(own["items"], json!([]), "an address that isn't verified gives nothing away");
    let token = shop.mailed_token();
    assert_eq!(shop.send("POST", "/api/auth/email/verify", &json!({"token": token}), &[]).await.0, 204);
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    shop.until(&path, |order| order["customerId"] == zoe.id.as_str()).await;
    let own = zoe.send(&shop, "GET", "/api/orders", &Value::Null).await.1;
    assert_eq!(own["items"][0]["shippingAddress"]["line1"], SECRETS[2]);
    assert_eq!(shop.send("POST", "/api/orders/lookup", &lookup, &[]).await.0, 404);
    let (status, _) = zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await;
    assert_eq!(status, 202);
    shop.until(&path, |order| order["addressErased"] == true).await;
    shop.until_settled().await;
    assert_eq!(traces(shop.stop().path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_store_of_keys_brings_nobody_back() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let zoe = lives(&shop).await;
    let folder = shop.stop();
    let keys = folder.path().join("person-keys.sqlite");
    let older = std::fs::read(&keys).unwrap();
    let shop = Shop::open(folder, &[]).await;
    let login = json!({"email": SECRETS[0], "password": PASSWORD});
    let answer = shop.send("POST", "/api/auth/login", &login, &[]).await.1;
    let zoe = Person { token: answer["accessToken"].as_str().unwrap().to_owned(), ..zoe };
    assert_eq!(zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await.0, 202);
    shop.until_settled().await;
    let folder = shop.stop();
    std::fs::write(&keys, older).unwrap();
    let shop = Shop::open(folder, &[]).await;
    shop.until_settled().await;
    let order = shop.get("/api/orders?addressErased=true").await.1["items"][0].clone();
    assert_eq!(order["shippingAddress"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_log_brings_nobody_back() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let zoe = lives(&shop).await;
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().join("backup").display().to_string();
    assert!(souk(shop.folder(), &["log", "backup", &to]).status.success());
    assert_eq!(zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await.0, 202);
    shop.until_settled().await;
    let folder = shop.stop();
    let restored = tempfile::tempdir().unwrap();
    for name in ["keys", "person-keys.sqlite", "credentials.sqlite"] {
        let mut copy = std::process::Command::new("cp");
        assert!(
            copy.arg("-r").arg(folder.path().join(name)).arg(restored.path()).status().unwrap().success()
        );
    }
    assert!(souk(restored.path(), &["log", "restore", &to]).status.success());
    let shop = Shop::open(restored, &[]).await;
    shop.until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1).await;
    shop.until_settled().await;
    let anew = sign_up(&shop, SECRETS[0], "Zoe").await;
    assert_ne!(anew.id, zoe.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_signed_out_stays_out_after_a_restart() {
    let shop = Shop::start(&[]).await;
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let logout = json!({"refreshToken": zoe.refresh});
    assert_eq!(zoe.send(&shop, "GET", "/api/auth/validate", &Value::Null).await.0, 200);
    assert_eq!(shop.send("POST", "/api/auth/logout", &logout, &[]).await.0, 204);
    let shop = shop.kill().await.restart().await;
    assert_eq!(zoe.send(&shop, "GET", "/api/auth/validate", &Value::Null).await.0, 401);
    assert_eq!(shop.send("POST", "/api/auth/refresh", &logout, &[]).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_beside_a_shop_and_one_that_was_given_away_goes_at_once() {
    let shop = Shop::start(&[]).await;
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let published = async || {
        let keys = shop.send("GET", "/.well-known/jwks.json", &Value::Null, &[]).await.1;
        keys["keys"].as_array().unwrap().len()
    };
    let (code, listed) = lines(shop.folder(), &["keys", "rotate"]);
    assert_eq!((code, listed.len(), &listed[0]["signs"]), (Some(0), 2, &json!(true)), "{listed:?}");
    while published().await != 2 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(zoe.send(&shop, "GET", "/api/auth/validate", &Value::Null).await.0, 200);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(lines(shop.folder(), &["keys", "rotate", "--now"]).1.len(), 1);
    while published().await != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(zoe.send(&shop, "GET", "/api/auth/validate", &Value::Null).await.0, 401);
    let next = shop.send("POST", "/api/auth/refresh", &json!({"refreshToken": zoe.refresh}), &[]).await;
    assert_eq!(next.0, 200, "sessions outlive the keys of their tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_made_from_the_command_line_beside_a_shop_or_without_one() {
    let shop = Shop::start(&[]).await;
    let create = |folder: &Path, email: &str, password: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["admin", "create", "--email", email, "--data"]).arg(folder);
        command.env("SOUK_ADMIN_PASSWORD", password).output().unwrap()
    };
    assert!(create(shop.folder(), "root@example.org", PASSWORD).status.success());
    let refused = create(shop.folder(), "root@example.org", PASSWORD);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("email-taken"), "{refused:?}");
    let login = json!({"email": "root@example.org", "password": PASSWORD});
    let answer = shop.send("POST", "/api/auth/login", &login, &[]).await.1;
    let bearer = format!("Bearer {}", answer["accessToken"].as_str().unwrap());
    assert_eq!(shop.send("GET", "/api/payments", &Value::Null, &[("authorization", &bearer)]).await.0, 200);
    let folder = shop.stop();
    assert!(create(folder.path(), "second@example.org", PASSWORD).status.success());
    let weak = create(folder.path(), "third@example.org", "password1234");
    assert!(String::from_utf8_lossy(&weak.stderr).contains("weak-password"), "{weak:?}");
    assert_eq!(create(folder.path(), "nobody", PASSWORD).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_wrong_master_key_is_missed_and_destroys_nothing() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    lives(&shop).await;
    let folder = shop.stop();
    let key = folder.path().join("keys/master");
    let digits = std::fs::read_to_string(&key).unwrap();
    let refused = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        let ended = command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    let other = "0".repeat(64);
    assert!(refused(&[("SOUK_MASTER_KEY", &other)]).contains("master-key-wrong"));
    assert!(refused(&[("SOUK_MASTER_KEY", "short")]).contains("64 hexadecimal digits"));
    assert!(refused(&[("SOUK_MASTER_KEY_FILE", "/nowhere/key")]).contains("/nowhere/key"));
    std::fs::remove_file(&key).unwrap();
    assert!(refused(&[]).contains("master-key-missing"));
    std::fs::write(&key, &digits).unwrap();
    let (secret, aside) = (folder.path().join("keys/secret"), folder.path().join("keys/aside"));
    std::fs::rename(&secret, &aside).unwrap();
    assert!(refused(&[]).contains("keys-missing"));
    let token = souk(folder.path(), &["token", "--subject", "ops"]);
    assert!(String::from_utf8_lossy(&token.stderr).contains("keys-missing") && !secret.exists(), "{token:?}");
    std::fs::rename(&aside, &secret).unwrap();
    std::fs::remove_file(&key).unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(elsewhere.path(), digits).unwrap();
    let path = elsewhere.path().to_str().unwrap().to_owned();
    let shop = Shop::open(folder, &[("SOUK_MASTER_KEY_FILE", &path)]).await;
    assert_eq!(shop.get("/api/orders").await.1["items"][0]["shippingAddress"]["line1"], SECRETS[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_changed_and_a_change_that_was_cut_off_is_finished() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let refused = souk(shop.folder(), &["keys", "rewrap"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("stop the shop"));
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("person-keys.sqlite").display().to_string();
    assert!(souk(shop.folder(), &["keys", "backup", &copy]).status.success());
    let folder = shop.stop();
    let master = folder.path().join("keys").join("master");
    let old = std::fs::read_to_string(&master).unwrap();
    let log = std::fs::read(folder.path().join("log.sqlite")).unwrap();
    let mut killed = std::process::Command::new(env!("CARGO_BIN_EXE_souk"));
    killed.args(["keys", "rewrap", "--data"]).arg(folder.path());
    assert!(!killed.env("SOUK_FAIL_POINT", "person-keys-rewrapped:1").output().unwrap().status.success());
    assert_eq!(
        std::fs::read_to_string(&master).unwrap(),
        old,
        "the old key is the one until all are wrapped"
    );
    let (code, said) = lines(folder.path(), &["keys", "rewrap"]);
    assert_eq!((code, &said[0]["rewrapped"]), (Some(0), &json!(1)));
    assert!(std::fs::read(folder.path().join("log.sqlite")).unwrap() == log, "the log is not touched");
    assert_ne!(std::fs::read_to_string(&master).unwrap(), old);
    let kept = master.with_extension(said[0]["from"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(kept).unwrap(), old);
    // Cut off between the keys and the file: the next start finishes it.
    let next = master.with_extension("next");
    std::fs::write(&next, "5a".repeat(32)).unwrap();
    let to = next.display().to_string();
    assert!(souk(folder.path(), &["keys", "rewrap", "--to", &to]).status.success());
    let shop = Shop::open(folder, &[]).await;
    assert!(!next.exists() && std::fs::read_to_string(&master).unwrap() == "5a".repeat(32));
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let token = shop.send("POST", "/api/auth/login", &login, &[]).await.1["accessToken"].clone();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let me = shop.send("GET", "/api/users/me", &Value::Null, &[("authorization", &bearer)]).await.1;
    assert_eq!(me["email"], "ada@example.org");
}
