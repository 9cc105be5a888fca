//! Restores without the keys of people, or with an older copy of them.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::forgotten::{PASSWORD, SECRETS, address, sign_up};
use super::people::orders_as_guest;
use super::process::{Shop, souk};
use super::stocked;

/// Another address than those that [`orders_as_guest`] and [`sign_up`] of these tests use.
const LATER: &str = "later@example.org";

/// Starts a shop that is to be refused; what it says.
fn refused(folder: &Path) -> String {
    let ended: Output = souk(folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

fn remove(folder: &Path, name: &str) {
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(folder.join(format!("{name}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{name}{suffix}: {error}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_the_keys_of_its_people_opens_only_when_told_to() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let placed = orders_as_guest(&shop).await;
    let folder = shop.stop();
    remove(folder.path(), "person-keys.sqlite");
    for _ in 0..2 {
        let why = refused(folder.path());
        assert!(why.contains("keys-missing") && why.contains("1 customer and 1 guest's order"), "{why}");
        assert!(why.contains("souk serve --without-keys") && why.contains("souk keys backup"), "{why}");
    }
    assert!(!folder.path().join("person-keys.sqlite").exists(), "nothing is made in the place of the keys");

    let shop = Shop::open(folder, &[("SOUK_WITHOUT_KEYS", "true")]).await;
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    let ship = json!({"carrier": "post"});
    let unreadable = shop.post(&format!("{path}/ship"), &ship).await;
    assert_eq!((unreadable.0, &unreadable.1["code"]), (409, &json!("order-address-unreadable")));
    let again = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
    let seen = shop.get(&path).await.1;
    let is_erased = (&seen["addressErased"], &seen["addressUnreadable"], &seen["shippingAddress"]);
    assert_eq!(is_erased, (&json!(false), &json!(true), &Value::Null), "{seen}");
    assert_eq!(shop.get("/api/orders?addressErased=true").await.1["items"], json!([]));
    let taken = shop.send("POST", "/api/auth/signup", &again, &[]).await;
    assert_eq!((taken.0, &taken.1["code"]), (409, &json!("email-taken")));
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let login = shop.send("POST", "/api/auth/login", &login, &[]).await;
    assert_eq!(login.0, 200, "the password is in another file");
    let bearer = shop.bearer();
    let signed = [("authorization", bearer.as_str())];
    let readdressed = shop.send("PUT", &format!("{path}/shipping-address"), &address(), &signed).await;
    assert_eq!(readdressed.0, 200, "{}", readdressed.1);
    let position = readdressed.1["position"].as_str().unwrap().to_owned();
    let headers = [("authorization", bearer.as_str()), ("x-min-position", position.as_str())];
    let seen = shop.send("GET", &path, &Value::Null, &headers).await.1;
    let is_readable = (&seen["addressUnreadable"], &seen["shippingAddress"]["line1"]);
    assert_eq!(is_readable, (&Value::Null, &json!(SECRETS[2])), "{seen}");
    assert_eq!(shop.post(&format!("{path}/ship"), &ship).await.0, 200);
    // It was told once.
    Shop::open(shop.stop(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_turn_up_after_a_shop_went_on_without_them_are_merged() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let before = orders_as_guest(&shop).await;
    let folder = shop.stop();
    let elsewhere = tempfile::tempdir().unwrap();
    let right = elsewhere.path().join("person-keys.sqlite");
    std::fs::rename(folder.path().join("person-keys.sqlite"), &right).unwrap();
    remove(folder.path(), "person-keys.sqlite");
    let shop = Shop::open(folder, &[("SOUK_WITHOUT_KEYS", "true")]).await;
    let since = orders_as_guest(&shop).await;
    let right = right.display().to_string();
    let running = souk(shop.folder(), &["keys", "merge", &right]);
    assert_eq!(running.status.code(), Some(1), "{running:?}");
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop the shop first"), "{running:?}");
    let folder = shop.stop();
    let merged = souk(folder.path(), &["keys", "merge", &right, "--json"]);
    assert!(merged.status.success(), "{merged:?}");
    let merged: Value = serde_json::from_slice(&merged.stdout).unwrap();
    assert_eq!(merged, json!({"keys": 1, "erasures": 0, "others": 0}));
    let shop = Shop::open(folder, &[]).await;
    for order in [before, since] {
        let seen = shop.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.1;
        assert_eq!(seen["shippingAddress"]["line1"], SECRETS[2], "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_keys_is_missed_for_those_who_came_later_alone() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("keys");
    assert!(souk(shop.folder(), &["keys", "backup", &copy.display().to_string()]).status.success());
    let later = sign_up(&shop, LATER, "Lea").await;
    // Nobody is missed who came and was erased since.
    let gone = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    assert_eq!(gone.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await.0, 202);
    shop.until_settled().await;
    let folder = shop.stop();
    let newest = std::fs::read(folder.path().join("person-keys.sqlite")).unwrap();
    remove(folder.path(), "person-keys.sqlite");
    std::fs::copy(&copy, folder.path().join("person-keys.sqlite")).unwrap();
    let why = refused(folder.path());
    assert!(why.contains("keys-missing") && why.contains("1 customer and 0 guests' orders"), "{why}");
    assert!(why.contains(&later.id) && !why.contains(&gone.id), "{why}");

    remove(folder.path(), "person-keys.sqlite");
    std::fs::write(folder.path().join("person-keys.sqlite"), newest).unwrap();
    let shop = Shop::open(folder, &[]).await;
    let me = json!({"email": LATER, "password": PASSWORD});
    let token = shop.send("POST", "/api/auth/login", &me, &[]).await.1["accessToken"].clone();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let me = shop.send("GET", "/api/users/me", &Value::Null, &[("authorization", &bearer)]).await.1;
    assert_eq!(me["name"], "Lea");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_without_keys_is_refused_and_makes_none() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().join("backup").display().to_string();
    assert!(souk(shop.folder(), &["log", "backup", &to]).status.success());
    let folder = shop.stop();
    let restored = tempfile::tempdir().unwrap();
    assert!(souk(restored.path(), &["log", "restore", &to]).status.success());
    assert!(refused(restored.path()).contains("keys-missing"));
    assert!(!restored.path().join("keys").exists(), "a new master key would only be in the way");
    let keys = std::process::Command::new("cp")
        .arg("-r")
        .arg(folder.path().join("keys"))
        .arg(restored.path())
        .status();
    assert!(keys.unwrap().success());
    std::fs::copy(folder.path().join("person-keys.sqlite"), restored.path().join("person-keys.sqlite"))
        .unwrap();
    Shop::open(restored, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_no_loss_of_keys() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let shop = shop.kill().await.restart().await;
    sign_up(&shop, LATER, "Lea").await;
    Shop::open(shop.stop(), &[]).await;
}
