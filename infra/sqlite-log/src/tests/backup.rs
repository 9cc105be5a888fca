//! Backups of a log, and their restore.

use super::*;
use crate::backup::MANIFEST_FILE;

/// A function that damages the backup in a folder.
type Damage<'a> = &'a dyn Fn(&Path);

fn backed_up(folder: &Path, target: &Path) -> BackedUp {
    backup(folder, target, &mut |_, _| ()).unwrap()
}

fn restored(backup: &Path, target: &Path) -> Result<Arc<SqliteLog>, BackupError> {
    fs::create_dir_all(target).unwrap();
    restore(backup, target, &mut |_, _| ())?;
    Ok(open(target).unwrap())
}

// Proves: platform.backup
#[tokio::test]
async fn a_backup_grows_by_new_events_and_can_be_restored_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 10).await;
    let copy = other.path().join("copy");
    assert_eq!(backed_up(folder.path(), &copy), BackedUp { segments: 1, events: 20, last: Position(20) });
    assert_eq!(backed_up(folder.path(), &copy), BackedUp { segments: 0, events: 0, last: Position(20) });
    log.append(append("later", 100, 3)).await.unwrap();
    let mut progress = (0, 0);
    let added = backup(folder.path(), &copy, &mut |done, all| progress = (done, all)).unwrap();
    assert_eq!((added, progress), (BackedUp { segments: 1, events: 3, last: Position(23) }, (3, 3)));
    let restored = restored(&copy, &other.path().join("data")).unwrap();
    assert_eq!((restored.head().await.unwrap(), restored.id()), (Position(23), log.id()));
    let all =
        |log: Arc<SqliteLog>| async move { log.read_all(Position(0), 100, &Filter::all()).await.unwrap() };
    assert_eq!(all(restored).await, all(log).await, "every event is unchanged");
}

#[tokio::test]
async fn a_restored_log_has_the_same_id_and_a_new_lineage() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 3).await;
    assert_eq!(log.lineage(), log.id());
    let backup = scratch.path().join("backup");
    backed_up(folder.path(), &backup);
    let restored = restored(&backup, &scratch.path().join("shop")).unwrap();
    assert_eq!(restored.id(), log.id());
    assert_ne!(restored.lineage(), log.lineage());
    let lineage = restored.lineage();
    drop(restored);
    assert_eq!(open(&scratch.path().join("shop")).unwrap().lineage(), lineage);
}

#[tokio::test]
async fn a_damaged_backup_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 3).await;
    let backup = scratch.path().join("backup");
    backed_up(folder.path(), &backup);
    let segment = backup.join("000001.segment");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    log.append(append("s1", 9, 1)).await.unwrap();
    let refused = crate::backup(folder.path(), &backup, &mut |_, _| ()).unwrap_err().to_string();
    assert!(refused.contains("000001.segment") && refused.contains("new folder"), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_a_backup() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    filled(folder.path(), 3).await;
    let backup = scratch.path().join("backup");
    backed_up(folder.path(), &backup);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&backup), 0o700);
    for name in ["000001.segment", "manifest.json", "backup.lock"] {
        assert_eq!(mode(&backup.join(name)), 0o600, "{name}");
    }
}

// Proves: platform.restore-never-overwrites
#[tokio::test]
async fn a_restore_never_overwrites_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1).await);
    let copy = other.path().join("copy");
    backed_up(folder.path(), &copy);
    let result = restore(&copy, folder.path(), &mut |_, _| ());
    assert!(matches!(result, Err(BackupError::Exists { .. })), "{result:?}");
    fs::write(other.path().join("log.sqlite-wal"), "frames").unwrap();
    let result = restore(&copy, other.path(), &mut |_, _| ());
    assert!(matches!(result, Err(BackupError::Exists { .. })), "{result:?}");
}

#[tokio::test]
async fn a_damaged_log_is_not_backed_up() {
    for sql in [
        "UPDATE events SET data = x'7B7D' WHERE position = 3",
        "DELETE FROM events WHERE position = 3",
        "UPDATE events SET revision = 77 WHERE position = 3",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), 10).await);
        tamper(folder.path(), sql);
        let error =
            backup(folder.path(), &other.path().join("copy"), &mut |_, _| ()).unwrap_err().to_string();
        assert!(error.contains("position 3"), "{error}");
        assert_eq!(check(&other.path().join("copy"), &mut |_, _| ()).unwrap().last(), 0);
    }
}

// Proves: platform.restore-never-overwrites
#[tokio::test]
async fn a_damaged_incomplete_or_mixed_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let another = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 10).await;
    drop(filled(another.path(), 12).await);
    let first = "000001.segment";
    let second = "000002.segment";
    let foreign = another.path().join("copy");
    backed_up(another.path(), &foreign);
    let damages: [(Damage<'_>, &str); 5] = [
        (&|copy| fs::remove_file(copy.join(first)).unwrap(), "000001.segment is missing"),
        (
            &|copy| {
                let mut bytes = fs::read(copy.join(second)).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(copy.join(second), bytes).unwrap();
            },
            "000002.segment has changed since it was written",
        ),
        (
            &|copy| assert!(fs::copy(foreign.join(first), copy.join(first)).is_ok()),
            "000001.segment has changed since it was written",
        ),
        (
            &|copy| assert!(fs::copy(copy.join(first), copy.join(second)).is_ok()),
            "has changed since it was written",
        ),
        (
            &|copy| {
                let text = fs::read_to_string(copy.join(MANIFEST_FILE)).unwrap();
                fs::write(copy.join(MANIFEST_FILE), text.replace("\"first\": 21", "\"first\": 22")).unwrap();
            },
            "should begin at position 21",
        ),
    ];
    let other = tempfile::tempdir().unwrap();
    let whole = other.path().join("whole");
    backed_up(folder.path(), &whole);
    log.append(append("later", 100, 3)).await.unwrap();
    backed_up(folder.path(), &whole);
    for (number, (damage, expected)) in damages.iter().enumerate() {
        let copy = other.path().join(format!("copy-{number}"));
        fs::create_dir(&copy).unwrap();
        for name in [first, second, MANIFEST_FILE] {
            fs::copy(whole.join(name), copy.join(name)).unwrap();
        }
        damage(&copy);
        let target = other.path().join(format!("data-{number}"));
        let error = restored(&copy, &target).err().expect("it is refused").to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "the failed restore leaves no file");
    }
    restored(&whole, &other.path().join("data")).unwrap();
}

#[tokio::test]
async fn a_backup_of_another_log_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let another = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("copy");
    let log = filled(folder.path(), 10).await;
    drop(filled(another.path(), 10).await);
    backed_up(folder.path(), &copy);
    let error = backup(another.path(), &copy, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, BackupError::OtherLog { .. }), "{error}");
    // The same log, restored from an older state. It later gets other events.
    let early = other.path().join("early");
    drop(restored(&copy, &early).unwrap());
    log.append(append("later", 100, 1)).await.unwrap();
    backed_up(folder.path(), &copy);
    let error = backup(&early, &copy, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("ends at position 21, but the log ends at 20"), "{error}");
    open(&early).unwrap().append(append("elsewhere", 101, 1)).await.unwrap();
    let error = backup(&early, &copy, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("at position 21 it holds another event"), "{error}");
}

#[tokio::test]
async fn a_killed_run_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 10).await);
    let copy = other.path().join("copy");
    fs::create_dir(&copy).unwrap();
    backed_up(folder.path(), &copy);
    fs::write(copy.join("000002.segment"), "half of a segment").unwrap();
    open(folder.path()).unwrap().append(append("later", 100, 2)).await.unwrap();
    assert_eq!(backed_up(folder.path(), &copy).last, Position(22));
    restored(&copy, &other.path().join("data")).unwrap();
}

#[tokio::test]
async fn a_killed_first_run_is_continued_and_a_damaged_backup_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 10).await;
    let copy = other.path().join("copy");
    backed_up(folder.path(), &copy);
    // The state after a kill before the manifest listed the first segment.
    let text = fs::read_to_string(copy.join(MANIFEST_FILE)).unwrap();
    let (head, _) = text.split_once("\"segments\"").unwrap();
    fs::write(copy.join(MANIFEST_FILE), format!("{head}\"segments\": []}}")).unwrap();
    assert_eq!(backed_up(folder.path(), &copy).segments, 1);
    log.append(append("later", 100, 3)).await.unwrap();
    fs::remove_file(copy.join("000001.segment")).unwrap();
    let error = backup(folder.path(), &copy, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("000001.segment is missing") && error.contains("new folder"), "{error}");
}

#[tokio::test]
async fn events_after_a_gap_are_not_read() {
    for sql in ["DELETE FROM events WHERE position = 5", "DELETE FROM events WHERE position > 15"] {
        let folder = tempfile::tempdir().unwrap();
        let log = filled(folder.path(), 10).await;
        tamper(folder.path(), sql);
        let reader = LogReader::open(folder.path()).unwrap();
        drop(log);
        let read = async {
            let mut at = Position(0);
            while at < reader.head().await? {
                at = reader.read_all(at, 3, &Filter::all()).await?.reached;
            }
            Ok::<_, StoreError>(at)
        };
        match read.await {
            Ok(at) => assert_eq!(at, Position(15), "a lost tail is not visible without the old head"),
            Err(error) => assert!(error.to_string().contains("position 5: events are missing"), "{error}"),
        }
    }
}

// Proves: platform.backup
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_whole_appends() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 50).await;
    let writer = tokio::spawn(async move {
        for n in 0..300 {
            log.append(append("busy", 1_000 + n, 10)).await.unwrap();
        }
    });
    let copy = other.path().join("copy");
    for _ in 0..5 {
        backed_up(folder.path(), &copy);
    }
    writer.await.unwrap();
    let restored = restored(&copy, &other.path().join("data")).unwrap();
    assert_eq!(restored.head().await.unwrap().0 % 10, 0, "every append is complete or missing");
}

#[tokio::test]
async fn a_folder_that_is_not_a_backup_is_not_restored_or_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("shop");
    fs::create_dir(&log).unwrap();
    drop(filled(&log, 1).await);
    let target = folder.path().join("data");
    for (path, what) in [
        (folder.path().join("none"), "it has no manifest"),
        (log.clone(), "it has no manifest"),
        (log.join(LOG_FILE), "it is a file"),
    ] {
        let error = restored(&path, &target).err().expect("it is refused").to_string();
        assert!(error.contains(what) && error.contains("souk log backup"), "{error}");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    }
    let error = backup(&log, &log, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup { .. }), "{error}");
}

#[tokio::test]
async fn a_backup_of_format_1_is_read_and_continued_in_format_2() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 3).await;
    let copy = other.path().join("copy");
    backed_up(folder.path(), &copy);
    let manifest = copy.join(MANIFEST_FILE);
    let field = |format: u32| format!("\"format\": {format}");
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.contains(&field(2)), "{text}");
    fs::write(&manifest, text.replace(&field(2), &field(1))).unwrap();
    backed_up(folder.path(), &copy);
    assert!(fs::read_to_string(&manifest).unwrap().contains(&field(1)), "an older program still reads it");
    log.append(append("later", 100, 3)).await.unwrap();
    backed_up(folder.path(), &copy);
    assert!(
        fs::read_to_string(&manifest).unwrap().contains(&field(2)),
        "an older program refuses the backup because of its format"
    );
    assert_eq!(restored(&copy, &other.path().join("data")).unwrap().head().await.unwrap(), Position(9));
}
