//! Copies of a log, and the way back.

use super::*;

#[tokio::test]
async fn a_backup_of_a_log_in_use_is_restored_elsewhere() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = filled(folder.path(), 10).await;
    let file = other.path().join("backup.sqlite");
    backup(folder.path(), &file, &mut |_, _| ()).unwrap();
    log.append(append("later", 100, 1)).await.unwrap();
    assert!(matches!(backup(folder.path(), &file, &mut |_, _| ()), Err(BackupError::Exists { .. })));
    assert!(matches!(restore(&file, folder.path(), &mut |_, _| ()), Err(BackupError::Exists { .. })));
    let target = other.path().join("data");
    fs::create_dir(&target).unwrap();
    restore(&file, &target, &mut |_, _| ()).unwrap();
    assert_eq!(open(&target).unwrap().head().await.unwrap(), Position(20));
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(folder.path(), 10).await);
    tamper(folder.path(), "UPDATE events SET data = x'7B7D' WHERE position = 3");
    let file = other.path().join("backup.sqlite");
    backup(folder.path(), &file, &mut |_, _| ()).unwrap();
    let target = other.path().join("data");
    fs::create_dir(&target).unwrap();
    assert!(matches!(restore(&file, &target, &mut |_, _| ()), Err(BackupError::Damaged { .. })));
    assert!(!target.join(LOG_FILE).exists());
}

#[tokio::test]
async fn a_copy_of_the_files_is_restored_with_its_write_ahead_log() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = filled(folder.path(), 10).await;
    for name in [LOG_FILE, "log.sqlite-wal"] {
        fs::copy(folder.path().join(name), other.path().join(name)).unwrap();
    }
    let target = other.path().join("data");
    fs::create_dir(&target).unwrap();
    restore(&other.path().join(LOG_FILE), &target, &mut |_, _| ()).unwrap();
    let restored = open(&target).unwrap();
    assert_eq!((restored.head().await.unwrap(), restored.id()), (Position(20), log.id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_of_one_moment() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = filled(folder.path(), 50).await;
    let writer = tokio::spawn(async move {
        for n in 0..300 {
            log.append(append("busy", 1_000 + n, 10)).await.unwrap();
        }
    });
    let target = other.path().join("copy");
    fs::create_dir(&target).unwrap();
    let mut told = (0, 0);
    backup(folder.path(), &target.join(LOG_FILE), &mut |copied, all| told = (copied, all)).unwrap();
    writer.await.unwrap();
    assert!(told.0 > 0 && told.0 == told.1, "{told:?}");
    let report = verify(&target, &mut |_, _| ()).unwrap();
    assert_eq!(report.problems_found, 0, "{report:?}");
    assert_eq!(report.events % 10, 0, "no append is there by halves");
}

#[tokio::test]
async fn what_is_no_log_is_not_restored_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    let target = folder.path().join("data");
    fs::create_dir(&target).unwrap();
    assert!(restore(&file, &target, &mut |_, _| ()).is_err(), "there is no such file");
    fs::write(
        &file,
        "no database, just some text that is long enough to be read as a header of a file, it is said",
    )
    .unwrap();
    let result = restore(&file, &target, &mut |_, _| ());
    assert!(matches!(result, Err(BackupError::Open(OpenError::NotALog { .. }))), "{result:?}");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_with_the_rest_of_a_log_is_not_restored_into() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(folder.path(), 10).await);
    fs::write(other.path().join("log.sqlite-wal"), "frames").unwrap();
    let result = restore(&folder.path().join(LOG_FILE), other.path(), &mut |_, _| ());
    assert!(matches!(result, Err(BackupError::Exists { .. })), "{result:?}");
}
