//! Advice of the command line: each is followed here, and helps.

use std::path::Path;

use crate::process::{Shop, souk};

/// Runs a command that is refused, and returns its message.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn done(folder: &Path, arguments: &[&str]) {
    let output = souk(folder, arguments);
    assert!(output.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_wants_a_shop_works_once_the_shop_was_started_or_named() {
    let beside = tempfile::tempdir().unwrap();
    let folder = beside.path().join("shop");
    for command in [&["keys", "list"], &["token", "--subject=ops"]] {
        let error = refused(&folder, command);
        assert!(error.contains("start it first (`souk serve`), or name its folder with --data"), "{error}");
        assert!(!folder.exists());
    }
    let shop = Shop::start(&[]).await;
    done(shop.folder(), &["keys", "list"]);
    done(shop.folder(), &["token", "--subject=ops"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_wrapped_anew_once_the_shop_is_stopped() {
    let shop = Shop::start(&[]).await;
    let error = refused(shop.folder(), &["keys", "rewrap"]);
    assert!(error.contains("stop the shop first"), "{error}");
    let folder = shop.stop();
    done(folder.path(), &["keys", "rewrap"]);
    Shop::open(folder, &[]).await.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_where_the_refusals_say() {
    let folder = Shop::start(&[]).await.stop();
    let beside = tempfile::tempdir().unwrap();
    let at = |name: &str| beside.path().join(name);
    let backup = at("backup");
    let backup_name = backup.to_str().unwrap();
    done(folder.path(), &["log", "backup", backup_name]);
    let restore = ["log", "restore", backup_name];
    let error = refused(folder.path(), &restore);
    assert!(error.contains("restore into a folder without a shop, or move it away first"), "{error}");
    let error = refused(&at("another"), &["log", "restore", folder.path().to_str().unwrap()]);
    assert!(error.contains("name the folder that `souk log backup` wrote to"), "{error}");
    let error = refused(&backup, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("restore it into another folder (`souk log restore"), "{error}");
    done(&at("another"), &restore);
    std::fs::rename(folder.path().join("log.sqlite"), at("log.sqlite")).unwrap();
    done(folder.path(), &restore);
    Shop::open(folder, &[]).await.stop();
}
