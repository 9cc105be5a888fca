//! Data folders that can't be used, and full or failing disks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::disks::Disk;
use crate::process::{Shop, souk};
use crate::{add_stock, order_request};

/// Creates the data folder of a stopped shop with a product, and a backup of its log.
async fn stopped_shop(backup: &Path) -> TempDir {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 5).await;
    let folder = shop.stop();
    let output = souk(folder.path(), &["log", "backup", backup.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// Runs a command that fails, and returns its error message.
fn error_of(folder: &Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    error
}

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

// Proves: platform.damage-is-found
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_with_a_missing_or_damaged_log_is_refused_until_a_restore() {
    let scratch = tempfile::tempdir().unwrap();
    let backup = scratch.path().join("backup");
    let folder = stopped_shop(&backup).await;
    let log = folder.path().join("log.sqlite");

    fs::rename(&log, scratch.path().join("log.sqlite")).unwrap();
    for command in [&SERVE[..], &["replay"], &["replay", "--all"]] {
        let error = error_of(folder.path(), command);
        assert!(error.contains("log-truncated") && error.contains("souk log restore"), "{error}");
    }
    assert!(!log.exists(), "a refused start creates no log");
    let restore = ["log", "restore", backup.to_str().unwrap()];
    assert!(souk(folder.path(), &restore).status.success());
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get("/api/inventory/stock/LAMP").await.1["onHand"], 5);
    let folder = shop.stop();

    let mut bytes = fs::read(&log).unwrap();
    let units = b"{\"onHand\":5}";
    let place = bytes.windows(units.len()).position(|window| window == units).unwrap();
    bytes[place + units.len() - 2] = b'6';
    fs::write(&log, &bytes).unwrap();
    let verified = souk(folder.path(), &["log", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("checksum"), "{verified:?}");
    let error = error_of(folder.path(), &SERVE);
    assert!(error.contains("log-damaged") && error.contains("checksum"), "{error}");

    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&log, &bytes).unwrap();
    let error = error_of(folder.path(), &SERVE);
    assert!(error.contains("format 99") && error.contains("newer program"), "{error}");

    fs::write(&log, "something else").unwrap();
    let error = error_of(folder.path(), &SERVE);
    assert!(error.contains("is not the log of a shop"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn putting_the_old_log_back_after_a_restore_is_refused_as_a_log_mismatch() {
    let scratch = tempfile::tempdir().unwrap();
    let backup = scratch.path().join("backup");
    let folder = stopped_shop(&backup).await;
    let log = folder.path().join("log.sqlite");
    fs::rename(&log, scratch.path().join("log.sqlite")).unwrap();
    assert!(souk(folder.path(), &["log", "restore", backup.to_str().unwrap()]).status.success());
    let shop = Shop::open(folder, &[]).await;
    shop.post("/api/orders", &order_request("LAMP", 1, "tok_ok")).await;
    let folder = shop.stop();
    fs::rename(scratch.path().join("log.sqlite"), &log).unwrap();
    let error = error_of(folder.path(), &SERVE);
    assert!(error.contains("log-mismatch") && error.contains("remove the file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_or_foreign_read_models_are_refused_and_built_again_when_removed() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = stopped_shop(&scratch.path().join("one")).await;
    let other = stopped_shop(&scratch.path().join("two")).await;
    let models = folder.path().join("read-models.sqlite");

    for suffix in ["", "-wal", "-shm"] {
        let name = format!("read-models.sqlite{suffix}");
        // The companion files may be missing.
        let _ = fs::remove_file(folder.path().join(&name));
        let _ = fs::copy(other.path().join(&name), folder.path().join(&name));
    }
    let error = error_of(folder.path(), &SERVE);
    assert!(error.contains("log-mismatch") && error.contains("remove the file"), "{error}");

    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("read-models.sqlite{suffix}")));
    }
    fs::write(&models, vec![0x5A; 8_192]).unwrap();
    let error = error_of(folder.path(), &SERVE);
    assert!(error.contains("damaged") && error.contains("remove the file"), "{error}");

    fs::remove_file(&models).unwrap();
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get("/api/inventory/stock/LAMP").await.1["onHand"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_shop_is_refused_and_nothing_is_created() {
    let scratch = tempfile::tempdir().unwrap();
    let missing = scratch.path().join("mistyped");
    for command in [
        &["replay"][..],
        &["replay", "--verify"],
        &["replay", "orders"],
        &["events", "tail"],
        &["log", "stats"],
    ] {
        let error = error_of(&missing, command);
        assert!(error.contains("there is no shop in"), "{error}");
    }
    error_of(&missing, &["log", "verify"]);
    assert!(!missing.exists());
    let error = error_of(&missing, &["log", "restore", scratch.path().to_str().unwrap()]);
    assert!(error.contains("backup"), "{error}");
    assert!(!missing.exists(), "a refused restore leaves no files");
    let folder = stopped_shop(&scratch.path().join("backup")).await;
    let inside = folder.path().join("backup");
    let error = error_of(folder.path(), &["log", "backup", inside.to_str().unwrap()]);
    assert!(error.contains("is inside the data folder") && !inside.exists(), "{error}");
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let error = error_of(folder.path(), &["log", "backup", link.join("new/backup").to_str().unwrap()]);
    assert!(error.contains("is inside the data folder"), "{error}");
    let file = scratch.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = error_of(&file, &SERVE);
    assert!(error.contains("can't be used"), "{error}");
}

/// Adds products until one is refused. Returns the ids of the accepted ones.
async fn write_until_refused(shop: &Shop) -> Vec<String> {
    let text = "A lamp of brass. ".repeat(3_500);
    let mut written = Vec::new();
    let refused = loop {
        let sku = format!("LAMP-{}", written.len());
        let price = json!({ "amount": 250, "currency": "GBP" });
        let product = json!({ "name": sku, "description": text, "sku": sku, "price": price });
        match shop.post("/api/products", &product).await {
            (201, response) => written.push(response["id"].as_str().unwrap().to_owned()),
            refused => break refused,
        }
        assert!(written.len() < 1_000, "no write is ever refused");
    };
    assert_eq!((refused.0, &refused.1["code"]), (503, &json!("log-unavailable")), "{}", refused.1);
    shop.wait_until_not_ready().await;
    let first = format!("/api/products/{}", written[0]);
    assert_eq!(shop.read(&first).await.0, 200, "reads still work");
    written
}

/// Checks that the shop has all accepted products and accepts more writes.
async fn check_accepted_products(shop: Shop, written: &[String]) {
    for id in written {
        assert_eq!(shop.get(&format!("/api/products/{id}")).await.0, 200, "{id} was acknowledged");
    }
    assert_eq!(shop.post("/api/inventory/stock", &json!({ "sku": "LAMP-0", "onHand": 1 })).await.0, 200);
    let folder = shop.stop();
    assert!(souk(folder.path(), &["log", "verify"]).status.success());
    assert!(souk(folder.path(), &["replay", "--verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_size_limit_stops_writes_but_not_reads_and_loses_no_acknowledged_event() {
    let shop = Shop::start_with_files_of(12 * 1024 * 1024).await;
    let written = write_until_refused(&shop).await;
    check_accepted_products(shop.kill().await.restart().await, &written).await;
}

// Proves: operations.full-disk
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writes_but_not_reads_and_loses_no_acknowledged_event() {
    let Some(disk) = Disk::new() else { return };
    let shop = Shop::open(disk.folder(), &[]).await;
    let written = write_until_refused(&shop).await;
    let shop = shop.kill().await;
    disk.make_room();
    check_accepted_products(shop.restart().await, &written).await;
}

// Proves: operations.full-disk
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_stops_writes_but_not_reads_and_loses_no_acknowledged_event() {
    let Some(disk) = Disk::new() else { return };
    let shop = Shop::open(disk.folder(), &[]).await;
    add_stock(&shop, "LAMP-0", 5).await;
    let order = shop.post("/api/orders", &order_request("LAMP-0", 2, "tok_ok")).await.1;
    disk.turn_read_only();
    let refused = shop.post("/api/inventory/stock", &json!({ "sku": "LAMP-0", "onHand": 9 })).await;
    assert_eq!((refused.0, &refused.1["code"]), (503, &json!("log-unavailable")), "{}", refused.1);
    shop.wait_until_not_ready().await;
    assert_eq!(shop.read("/api/inventory/stock/LAMP-0").await.0, 200, "reads still work");
    let shop = shop.kill().await;
    disk.repair();
    let shop = shop.restart().await;
    assert_eq!(shop.get("/api/inventory/stock/LAMP-0").await.1["onHand"], 3);
    let order = format!("/api/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(shop.get(&order).await.1["status"], "CONFIRMED");
    check_accepted_products(shop, &[]).await;
}

/// Another program locks the file of the read models and process state.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_read_model_file_does_not_block_checkouts() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let file = SqliteConnectOptions::new().filename(shop.folder().join("read-models.sqlite"));
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    let mut lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for _ in 0..4 {
        let (status, order) = shop.post("/api/orders", &order_request("LAMP", 1, "tok_ok")).await;
        assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")), "{order}");
        // Longer than the interval at which process state is written.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    sqlx::query("SELECT 1").execute(&mut *lock).await.unwrap();
    lock.rollback().await.unwrap();
}
