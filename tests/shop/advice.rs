//! Advice in error messages of the command line: each test follows the advice and checks that it works.

use std::path::Path;

use crate::process::{Shop, souk};

/// Runs a command that fails, and returns its error message.
fn error_of(folder: &Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs a command that must succeed.
fn run(folder: &Path, arguments: &[&str]) {
    let output = souk(folder, arguments);
    assert!(output.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
}

// Proves: operations.command-line
#[tokio::test(flavor = "multi_thread")]
async fn commands_without_a_shop_give_advice_that_works() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("shop");
    for command in [&["keys", "list"], &["token", "--subject=ops"]] {
        let error = error_of(&folder, command);
        assert!(error.contains("start it first (`souk serve`), or name its folder with --data"), "{error}");
        assert!(!folder.exists());
    }
    let shop = Shop::start(&[]).await;
    run(shop.folder(), &["keys", "list"]);
    run(shop.folder(), &["token", "--subject=ops"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_can_be_rewrapped_after_the_shop_is_stopped() {
    let shop = Shop::start(&[]).await;
    let error = error_of(shop.folder(), &["keys", "rewrap"]);
    assert!(error.contains("stop the shop first"), "{error}");
    let folder = shop.stop();
    run(folder.path(), &["keys", "rewrap"]);
    Shop::open(folder, &[]).await.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_restore_gives_advice_that_works() {
    let folder = Shop::start(&[]).await.stop();
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    let backup = at("backup");
    let backup_name = backup.to_str().unwrap();
    run(folder.path(), &["log", "backup", backup_name]);
    let restore = ["log", "restore", backup_name];
    let error = error_of(folder.path(), &restore);
    assert!(error.contains("restore into a folder without a shop, or move it away first"), "{error}");
    let error = error_of(&at("another"), &["log", "restore", folder.path().to_str().unwrap()]);
    assert!(error.contains("choose the folder that `souk log backup` wrote to"), "{error}");
    let error = error_of(&backup, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("restore it into another folder (`souk log restore"), "{error}");
    run(&at("another"), &restore);
    std::fs::rename(folder.path().join("log.sqlite"), at("log.sqlite")).unwrap();
    run(folder.path(), &restore);
    Shop::open(folder, &[]).await.stop();
}
