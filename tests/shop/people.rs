//! Accounts, orders of guests, erasures, and keys.

use std::path::Path;

use serde_json::{Value, json};

use super::add_stock;
use super::forgotten::{PASSWORD, Person, SECRETS, address, create_customer, sign_up, traces};
use super::process::{Shop, lines, souk};

/// Places an order as a guest, with a shipping address. The order is confirmed.
pub(crate) async fn place_guest_order(shop: &Shop) -> Value {
    let cart = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 1})).await;
    let order = json!({"cart": true, "email": SECRETS[0], "payment": {"token": "tok_ok"},
        "shippingAddress": address()});
    let (status, placed) = shop.send("POST", "/api/orders", &order, &[("x-cart-token", &cart)]).await;
    assert_eq!((status, &placed["status"]), (201, &json!("CONFIRMED")), "{placed}");
    placed
}

// Proves: users.guest-orders-are-linked
#[tokio::test(flavor = "multi_thread")]
async fn a_guests_order_placed_after_the_address_was_verified_is_linked_to_the_account() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let token = shop.mailed_token();
    assert_eq!(zoe.send(&shop, "POST", "/api/auth/email/verify", &json!({"token": token})).await.0, 204);
    let placed = place_guest_order(&shop).await;
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    shop.wait_until(&path, |order| order["customerId"] == zoe.id.as_str()).await;
    let own = zoe.send(&shop, "GET", "/api/orders", &Value::Null).await.1;
    assert_eq!(own["items"][0]["shippingAddress"]["line1"], SECRETS[2], "{own}");
}

// Proves: users.guest-orders-are-linked
#[tokio::test(flavor = "multi_thread")]
async fn guest_orders_are_linked_to_the_account_when_its_address_is_verified() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let placed = place_guest_order(&shop).await;
    let lookup = json!({"code": placed["code"], "email": SECRETS[0]});
    let position = placed["position"].as_str().unwrap().to_owned();
    let (status, found) =
        shop.send("POST", "/api/orders/lookup", &lookup, &[("x-min-position", &position)]).await;
    assert_eq!((status, &found["shippingAddress"]["line1"]), (200, &json!(SECRETS[2])), "{found}");
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let own = zoe.send(&shop, "GET", "/api/orders", &Value::Null).await.1;
    assert_eq!(own["items"], json!([]), "an unverified address links no orders");
    let token = shop.mailed_token();
    assert_eq!(zoe.send(&shop, "POST", "/api/auth/email/verify", &json!({"token": token})).await.0, 204);
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    shop.wait_until(&path, |order| order["customerId"] == zoe.id.as_str()).await;
    let own = zoe.send(&shop, "GET", "/api/orders", &Value::Null).await.1;
    assert_eq!(own["items"][0]["shippingAddress"]["line1"], SECRETS[2]);
    assert_eq!(shop.send("POST", "/api/orders/lookup", &lookup, &[]).await.0, 404);
    let (status, _) = zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await;
    assert_eq!(status, 202);
    shop.wait_until(&path, |order| order["addressErased"] == true).await;
    shop.wait_until_settled().await;
    assert_eq!(traces(shop.stop().path()), Vec::<String>::new());
}

// Proves: users.erasure-survives-restores
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_keys_does_not_undo_an_erasure() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let zoe = create_customer(&shop).await;
    let folder = shop.stop();
    let keys = folder.path().join("person-keys.sqlite");
    let older = std::fs::read(&keys).unwrap();
    let shop = Shop::open(folder, &[]).await;
    let login = json!({"email": SECRETS[0], "password": PASSWORD});
    let response = shop.send("POST", "/api/auth/login", &login, &[]).await.1;
    let zoe = Person { token: response["accessToken"].as_str().unwrap().to_owned(), ..zoe };
    assert_eq!(zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await.0, 202);
    shop.wait_until_settled().await;
    let folder = shop.stop();
    std::fs::write(&keys, older).unwrap();
    let shop = Shop::open(folder, &[]).await;
    shop.wait_until_settled().await;
    let order = shop.get("/api/orders?addressErased=true").await.1["items"][0].clone();
    assert_eq!(order["shippingAddress"], Value::Null);
}

// Proves: users.erasure-survives-restores
#[tokio::test(flavor = "multi_thread")]
async fn an_older_log_does_not_undo_an_erasure() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let zoe = create_customer(&shop).await;
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().join("backup").display().to_string();
    assert!(souk(shop.folder(), &["log", "backup", &to]).status.success());
    assert_eq!(zoe.send(&shop, "DELETE", "/api/users/me", &json!({"password": PASSWORD})).await.0, 202);
    shop.wait_until_settled().await;
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
    shop.wait_until("/api/orders?addressErased=true", |list| list["items"].as_array().unwrap().len() == 1)
        .await;
    shop.wait_until_settled().await;
    let new_account = sign_up(&shop, SECRETS[0], "Zoe").await;
    assert_ne!(new_account.id, zoe.id);
}

// Proves: sign-in.sign-out
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_out_session_is_refused_after_a_restart() {
    let shop = Shop::start(&[]).await;
    let zoe = sign_up(&shop, SECRETS[0], SECRETS[1]).await;
    let logout = json!({"refreshToken": zoe.refresh});
    assert_eq!(zoe.send(&shop, "GET", "/api/auth/validate", &Value::Null).await.0, 200);
    assert_eq!(shop.send("POST", "/api/auth/logout", &logout, &[]).await.0, 204);
    let shop = shop.kill().await.restart().await;
    assert_eq!(zoe.send(&shop, "GET", "/api/auth/validate", &Value::Null).await.0, 401);
    assert_eq!(shop.send("POST", "/api/auth/refresh", &logout, &[]).await.0, 401);
}

// Proves: sign-in.signing-keys
#[tokio::test(flavor = "multi_thread")]
async fn token_keys_can_be_rotated_beside_a_running_shop_and_removed_at_once() {
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
    assert_eq!(next.0, 200, "a session stays valid when the key of its tokens is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_can_be_created_from_the_command_line_with_or_without_a_running_shop() {
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
    let response = shop.send("POST", "/api/auth/login", &login, &[]).await.1;
    let bearer = format!("Bearer {}", response["accessToken"].as_str().unwrap());
    assert_eq!(shop.send("GET", "/api/payments", &Value::Null, &[("authorization", &bearer)]).await.0, 200);
    let folder = shop.stop();
    assert!(create(folder.path(), "second@example.org", PASSWORD).status.success());
    let weak = create(folder.path(), "third@example.org", "password1234");
    assert!(String::from_utf8_lossy(&weak.stderr).contains("weak-password"), "{weak:?}");
    assert_eq!(create(folder.path(), "nobody", PASSWORD).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_wrong_master_key_is_reported_and_changes_nothing() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    create_customer(&shop).await;
    let folder = shop.stop();
    let key = folder.path().join("keys/master");
    let digits = std::fs::read_to_string(&key).unwrap();
    let start_error = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other = "0".repeat(64);
    assert!(start_error(&[("SOUK_MASTER_KEY", &other)]).contains("master-key-wrong"));
    assert!(start_error(&[("SOUK_MASTER_KEY", "short")]).contains("64 hexadecimal digits"));
    assert!(start_error(&[("SOUK_MASTER_KEY_FILE", "/nowhere/key")]).contains("/nowhere/key"));
    std::fs::remove_file(&key).unwrap();
    assert!(start_error(&[]).contains("master-key-missing"));
    std::fs::write(&key, &digits).unwrap();
    let secret = folder.path().join("keys/secret");
    let aside = folder.path().join("keys/aside");
    std::fs::rename(&secret, &aside).unwrap();
    assert!(start_error(&[]).contains("keys-missing"));
    let token = souk(folder.path(), &["token", "--subject", "ops"]);
    assert!(String::from_utf8_lossy(&token.stderr).contains("keys-missing") && !secret.exists(), "{token:?}");
    std::fs::rename(&aside, &secret).unwrap();
    std::fs::remove_file(&key).unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(elsewhere.path(), digits).unwrap();
    let path = elsewhere.path().to_str().unwrap().to_owned();
    let shop = Shop::open(folder, &[("SOUK_MASTER_KEY_FILE", &path)]).await;
    let orders = shop.get("/api/orders").await.1;
    let is_addressed = |order: &Value| order["shippingAddress"]["line1"] == SECRETS[2];
    assert!(orders["items"].as_array().unwrap().iter().any(is_addressed), "{orders}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_change_of_the_master_key_can_be_completed() {
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
        "the old master key stays until all keys are rewrapped"
    );
    let (code, printed) = lines(folder.path(), &["keys", "rewrap"]);
    assert_eq!((code, &printed[0]["rewrapped"]), (Some(0), &json!(1)));
    assert!(std::fs::read(folder.path().join("log.sqlite")).unwrap() == log, "the log does not change");
    assert_ne!(std::fs::read_to_string(&master).unwrap(), old);
    let kept = master.with_extension(printed[0]["from"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(kept).unwrap(), old);
    // A change that was killed between the keys and the key file: the next start completes it.
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
