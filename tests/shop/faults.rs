//! Data folders that can't be used, and a disk that takes no more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::disks::Disk;
use crate::process::{Shop, souk};
use crate::{order_of, stocked};

/// A stopped shop with a product, and a backup of it beside.
async fn stopped(backup: &Path) -> TempDir {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 5).await;
    let folder = shop.stop();
    let output = souk(folder.path(), &["log", "backup", backup.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// What a command that is refused says.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    error
}

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_log_is_gone_or_damaged_is_refused_and_open_again_with_its_backup() {
    let beside = tempfile::tempdir().unwrap();
    let backup = beside.path().join("backup");
    let folder = stopped(&backup).await;
    let log = folder.path().join("log.sqlite");

    fs::rename(&log, beside.path().join("log.sqlite")).unwrap();
    for command in [&SERVE[..], &["replay"], &["replay", "--all"]] {
        let error = refused(folder.path(), command);
        assert!(error.contains("log-truncated") && error.contains("souk log restore"), "{error}");
    }
    assert!(!log.exists(), "a refused start makes no log");
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
    let error = refused(folder.path(), &SERVE);
    assert!(error.contains("log-damaged") && error.contains("checksum"), "{error}");

    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&log, &bytes).unwrap();
    let error = refused(folder.path(), &SERVE);
    assert!(error.contains("format 99") && error.contains("newer program"), "{error}");

    fs::write(&log, "something else").unwrap();
    let error = refused(folder.path(), &SERVE);
    assert!(error.contains("is no log of a shop"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_taken_back_is_noticed() {
    let beside = tempfile::tempdir().unwrap();
    let backup = beside.path().join("backup");
    let folder = stopped(&backup).await;
    let log = folder.path().join("log.sqlite");
    fs::rename(&log, beside.path().join("log.sqlite")).unwrap();
    assert!(souk(folder.path(), &["log", "restore", backup.to_str().unwrap()]).status.success());
    let shop = Shop::open(folder, &[]).await;
    shop.post("/api/orders", &order_of("LAMP", 1, "tok_ok")).await;
    let folder = shop.stop();
    fs::rename(beside.path().join("log.sqlite"), &log).unwrap();
    let error = refused(folder.path(), &SERVE);
    assert!(error.contains("log-mismatch") && error.contains("remove the file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_are_damaged_or_anothers_are_refused_and_made_anew_once_removed() {
    let beside = tempfile::tempdir().unwrap();
    let folder = stopped(&beside.path().join("one")).await;
    let other = stopped(&beside.path().join("two")).await;
    let models = folder.path().join("read-models.sqlite");

    for suffix in ["", "-wal", "-shm"] {
        let name = format!("read-models.sqlite{suffix}");
        // The files behind the first are there or not, as the process ended.
        let _ = fs::remove_file(folder.path().join(&name));
        let _ = fs::copy(other.path().join(&name), folder.path().join(&name));
    }
    let error = refused(folder.path(), &SERVE);
    assert!(error.contains("log-mismatch") && error.contains("remove the file"), "{error}");

    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("read-models.sqlite{suffix}")));
    }
    fs::write(&models, vec![0x5A; 8_192]).unwrap();
    let error = refused(folder.path(), &SERVE);
    assert!(error.contains("damaged") && error.contains("remove the file"), "{error}");

    fs::remove_file(&models).unwrap();
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get("/api/inventory/stock/LAMP").await.1["onHand"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_none_or_has_no_shop_is_refused_and_nothing_is_made() {
    let beside = tempfile::tempdir().unwrap();
    let missing = beside.path().join("mistyped");
    for command in [&["replay"][..], &["replay", "--verify"], &["replay", "orders"]] {
        let error = refused(&missing, command);
        assert!(error.contains("there is no shop in"), "{error}");
    }
    refused(&missing, &["events", "tail"]);
    refused(&missing, &["log", "verify"]);
    assert!(!missing.exists());
    let error = refused(&missing, &["log", "restore", beside.path().to_str().unwrap()]);
    assert!(error.contains("backup"), "{error}");
    assert!(!missing.exists(), "a refused restore leaves nothing");
    let shop = stopped(&beside.path().join("backup")).await;
    let inside = shop.path().join("backup");
    let error = refused(shop.path(), &["log", "backup", inside.to_str().unwrap()]);
    assert!(error.contains("lies in the data folder") && !inside.exists(), "{error}");
    let link = beside.path().join("link");
    std::os::unix::fs::symlink(shop.path(), &link).unwrap();
    let error = refused(shop.path(), &["log", "backup", link.join("new/backup").to_str().unwrap()]);
    assert!(error.contains("lies in the data folder"), "{error}");
    let file = beside.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = refused(&file, &SERVE);
    assert!(error.contains("can't be used"), "{error}");
}

/// Adds products until one is refused; tells which were accepted.
async fn write_until_refused(shop: &Shop) -> Vec<String> {
    let text = "A lamp of brass. ".repeat(3_500);
    let mut written = Vec::new();
    let refused = loop {
        let sku = format!("LAMP-{}", written.len());
        let price = json!({ "amount": 250, "currency": "GBP" });
        let product = json!({ "name": sku, "description": text, "sku": sku, "price": price });
        match shop.post("/api/products", &product).await {
            (201, answer) => written.push(answer["id"].as_str().unwrap().to_owned()),
            refused => break refused,
        }
        assert!(written.len() < 1_000, "the disk takes everything");
    };
    assert_eq!((refused.0, &refused.1["code"]), (503, &json!("log-unavailable")), "{}", refused.1);
    shop.until_not_ready().await;
    let first = format!("/api/products/{}", written[0]);
    assert_eq!(shop.read(&first).await.0, 200, "reads go on");
    written
}

/// Everything that was accepted is there, and more is taken.
async fn holds_and_takes_more(shop: Shop, written: &[String]) {
    for id in written {
        assert_eq!(shop.get(&format!("/api/products/{id}")).await.0, 200, "{id} was acknowledged");
    }
    assert_eq!(shop.post("/api/inventory/stock", &json!({ "sku": "LAMP-0", "onHand": 1 })).await.0, 200);
    let folder = shop.stop();
    assert!(souk(folder.path(), &["log", "verify"]).status.success());
    assert!(souk(folder.path(), &["replay", "--verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_files_stops_writes_and_not_reads_and_loses_nothing_acknowledged() {
    let shop = Shop::start_with_files_of(12 * 1024 * 1024).await;
    let written = write_until_refused(&shop).await;
    holds_and_takes_more(shop.kill().await.restart().await, &written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writes_and_not_reads_and_loses_nothing_acknowledged() {
    let Some(disk) = Disk::new() else { return };
    let shop = Shop::open(disk.folder(), &[]).await;
    let written = write_until_refused(&shop).await;
    let shop = shop.kill().await;
    disk.make_room();
    holds_and_takes_more(shop.restart().await, &written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_turns_read_only_stops_writes_and_not_reads_and_loses_nothing_acknowledged() {
    let Some(disk) = Disk::new() else { return };
    let shop = Shop::open(disk.folder(), &[]).await;
    stocked(&shop, "LAMP-0", 5).await;
    let order = shop.post("/api/orders", &order_of("LAMP-0", 2, "tok_ok")).await.1;
    disk.turn_read_only();
    let refused = shop.post("/api/inventory/stock", &json!({ "sku": "LAMP-0", "onHand": 9 })).await;
    assert_eq!((refused.0, &refused.1["code"]), (503, &json!("log-unavailable")), "{}", refused.1);
    shop.until_not_ready().await;
    assert_eq!(shop.read("/api/inventory/stock/LAMP-0").await.0, 200, "reads go on");
    let shop = shop.kill().await;
    disk.repair();
    let shop = shop.restart().await;
    assert_eq!(shop.get("/api/inventory/stock/LAMP-0").await.1["onHand"], 3);
    let order = format!("/api/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(shop.get(&order).await.1["status"], "CONFIRMED");
    holds_and_takes_more(shop, &[]).await;
}

/// Another program holds the file in which read models and rows of processes are kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_of_read_models_holds_up_no_checkout() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let file = SqliteConnectOptions::new().filename(shop.folder().join("read-models.sqlite"));
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    let mut lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for _ in 0..4 {
        let (status, order) = shop.post("/api/orders", &order_of("LAMP", 1, "tok_ok")).await;
        assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")), "{order}");
        // Longer than the interval at which rows of processes are written.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    sqlx::query("SELECT 1").execute(&mut *lock).await.unwrap();
    lock.rollback().await.unwrap();
}
