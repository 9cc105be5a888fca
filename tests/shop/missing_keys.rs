//! Restores without the person keys, or with an older copy of them.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::add_stock;
use super::forgotten::{PASSWORD, SECRETS, address, sign_up};
use super::people::place_guest_order;
use super::process::{Shop, souk};

/// An e-mail address that the other people of these tests do not use.
const LATER: &str = "later@example.org";

/// Starts a shop that does not open. Returns its error message.
fn start_error(folder: &Path) -> String {
    let output: Output = souk(folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Deletes a database with its companion files.
fn remove(folder: &Path, name: &str) {
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(folder.join(format!("{name}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{name}{suffix}: {error}"),
            _ => {}
        }
    }
}

// Proves: platform.missing-keys
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_its_person_keys_opens_only_with_without_keys() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let placed = place_guest_order(&shop).await;
    let folder = shop.stop();
    remove(folder.path(), "person-keys.sqlite");
    for _ in 0..2 {
        let error = start_error(folder.path());
        assert!(error.contains("keys-missing") && error.contains("1 customer and 1 guest order"), "{error}");
        assert!(error.contains("souk serve --without-keys") && error.contains("souk keys backup"), "{error}");
    }
    assert!(!folder.path().join("person-keys.sqlite").exists(), "no new key file is created");

    let shop = Shop::open(folder, &[("SOUK_WITHOUT_KEYS", "true")]).await;
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    let ship = json!({"carrier": "post"});
    let unreadable = shop.post(&format!("{path}/ship"), &ship).await;
    assert_eq!((unreadable.0, &unreadable.1["code"]), (409, &json!("order-address-unreadable")));
    let sign_up_again = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
    let seen = shop.get(&path).await.1;
    let is_erased = (&seen["addressErased"], &seen["addressUnreadable"], &seen["shippingAddress"]);
    assert_eq!(is_erased, (&json!(false), &json!(true), &Value::Null), "{seen}");
    assert_eq!(shop.get("/api/orders?addressErased=true").await.1["items"], json!([]));
    let taken = shop.send("POST", "/api/auth/signup", &sign_up_again, &[]).await;
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
    // The next start does not need the setting.
    Shop::open(shop.stop(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_found_later_can_be_merged() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let before = place_guest_order(&shop).await;
    let folder = shop.stop();
    let elsewhere = tempfile::tempdir().unwrap();
    let found = elsewhere.path().join("person-keys.sqlite");
    std::fs::rename(folder.path().join("person-keys.sqlite"), &found).unwrap();
    remove(folder.path(), "person-keys.sqlite");
    let shop = Shop::open(folder, &[("SOUK_WITHOUT_KEYS", "true")]).await;
    let after = place_guest_order(&shop).await;
    let found = found.display().to_string();
    let running = souk(shop.folder(), &["keys", "merge", &found]);
    assert_eq!(running.status.code(), Some(1), "{running:?}");
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop the shop first"), "{running:?}");
    let folder = shop.stop();
    let merged = souk(folder.path(), &["keys", "merge", &found, "--json"]);
    assert!(merged.status.success(), "{merged:?}");
    let merged: Value = serde_json::from_slice(&merged.stdout).unwrap();
    assert_eq!(merged, json!({"keys": 1, "erasures": 0, "others": 0}));
    let shop = Shop::open(folder, &[]).await;
    for order in [before, after] {
        let seen = shop.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.1;
        assert_eq!(seen["shippingAddress"]["line1"], SECRETS[2], "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_older_copy_of_the_keys_only_later_people_are_missing() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("keys");
    assert!(souk(shop.folder(), &["keys", "backup", &copy.display().to_string()]).status.success());
    let later = sign_up(&shop, LATER, "Lea").await;
    // A person who signed up and was erased after the backup is not missing.
    let erased = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    assert_eq!(erased.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await.0, 202);
    shop.wait_until_settled().await;
    let folder = shop.stop();
    let newest = std::fs::read(folder.path().join("person-keys.sqlite")).unwrap();
    remove(folder.path(), "person-keys.sqlite");
    std::fs::copy(&copy, folder.path().join("person-keys.sqlite")).unwrap();
    let error = start_error(folder.path());
    assert!(error.contains("keys-missing") && error.contains("1 customer and 0 guest orders"), "{error}");
    assert!(error.contains(&later.id) && !error.contains(&erased.id), "{error}");

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
async fn a_restored_log_without_keys_is_refused_and_no_keys_are_created() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().join("backup").display().to_string();
    assert!(souk(shop.folder(), &["log", "backup", &to]).status.success());
    let folder = shop.stop();
    let restored = tempfile::tempdir().unwrap();
    assert!(souk(restored.path(), &["log", "restore", &to]).status.success());
    assert!(start_error(restored.path()).contains("keys-missing"));
    assert!(!restored.path().join("keys").exists(), "no new master key is created");
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
async fn no_keys_are_lost_in_a_crash() {
    let shop = Shop::start(&[]).await;
    sign_up(&shop, "ada@example.org", "Ada").await;
    let shop = shop.kill().await.restart().await;
    sign_up(&shop, LATER, "Lea").await;
    Shop::open(shop.stop(), &[]).await;
}
