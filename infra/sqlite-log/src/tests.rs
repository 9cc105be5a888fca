//! The engine's own faults and limits; the port's contract is the conformance suite.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::Connection;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CorrelationId, NewEvent};
use uuid::Uuid;

use super::*;

fn event(stream: &StreamName, command: u128, ordinal: u32) -> NewEvent {
    let correlation = CorrelationId::from(Uuid::from_u128(1));
    let origin = Origin::new(Uuid::from_u128(command), Actor::new("test", "x"), correlation);
    let data = Bytes::from(format!("{{\"n\":{ordinal}}}"));
    origin.raw_envelope(stream, ordinal, "thing.happened", 1, data, Timestamp::UNIX_EPOCH)
}

fn append(stream: &str, command: u128, events: u32) -> Append {
    let stream = StreamName::new("thing", stream);
    let events = (0..events).map(|ordinal| event(&stream, command, ordinal)).collect();
    Append { stream, expected: Expected::Any, events }
}

use souk_eventsourcing::Expected;

fn open(folder: &Path) -> Result<Arc<SqliteLog>, OpenError> {
    SqliteLog::open(folder, &Options::default())
}

async fn filled(folder: &Path, appends: u128) -> Arc<SqliteLog> {
    let log = open(folder).unwrap();
    for n in 1..=appends {
        log.append(append(&format!("s{}", n % 3), n, 2)).await.unwrap();
    }
    log
}

/// A change behind the engine's back.
fn tamper(folder: &Path, sql: &str) {
    let connection = Connection::open(folder.join(LOG_FILE)).unwrap();
    let free = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;";
    connection.execute_batch(free).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn it_does_what_the_port_asks() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    souk_eventsourcing::conformance::run(|| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(n.to_string());
        fs::create_dir(&path).unwrap();
        open(&path).unwrap()
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = filled(folder.path(), 10).await;
    // A copy of the files of a running log is what a kill leaves.
    for name in [LOG_FILE, "log.sqlite-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    drop(log);
    let survivor = open(copy.path()).unwrap();
    assert_eq!(survivor.head().await.unwrap(), Position(20));
    assert_eq!(verify(copy.path(), &mut |_, _| ()).unwrap().problems_found, 0);
}

#[tokio::test]
async fn waiting_appends_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    let appends = (0..400).map(|n| {
        let log = Arc::clone(&log);
        tokio::spawn(async move { log.append(append(&format!("s{n}"), n, 1)).await })
    });
    for task in appends.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let counters = log.counters();
    assert_eq!((counters.appends, counters.events), (400, 400));
    assert!(counters.commits < 400, "{counters:?}");
}

#[tokio::test]
async fn rows_are_never_changed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1).await);
    let connection = Connection::open(folder.path().join(LOG_FILE)).unwrap();
    for sql in ["UPDATE events SET actor = 'x'", "DELETE FROM events"] {
        let error = connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_tail_is_refused_with_its_place() {
    for (sql, what) in [
        ("UPDATE events SET data = x'7B7D' WHERE position = 5", "checksum"),
        ("UPDATE events SET actor = 'other' WHERE position = 5", "checksum"),
        ("DELETE FROM events WHERE position = 5", "missing"),
        ("UPDATE events SET stream = '-' WHERE position = 5", "malformed"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), 5).await);
        tamper(folder.path(), sql);
        let error = open(folder.path()).err().expect("damage is refused").to_string();
        assert!(error.contains("position 5") && error.contains(what), "{error}");
        let report = verify(folder.path(), &mut |_, _| ()).unwrap();
        assert_eq!(report.problems[0].position, Position(5), "{report:?}");
    }
}

#[tokio::test]
async fn files_that_are_no_log_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOG_FILE);
    fs::write(&path, "this is no database, whatever its name says; it is just some text").unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::NotALog { .. })));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::NotALog { .. })));
}

#[tokio::test]
async fn a_log_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1).await);
    let connection = Connection::open(folder.path().join(LOG_FILE)).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    drop(connection);
    assert!(matches!(open(folder.path()), Err(OpenError::NewerVersion { found: 9, known: 1, .. })));
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 200).await);
    let path = folder.path().join(LOG_FILE);
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length / 2 / 4096 * 4096).unwrap();
    assert!(open(folder.path()).is_err());
}

#[tokio::test]
async fn damage_in_the_wal_before_synced_data_is_refused_and_a_torn_end_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 20).await;
    let wal = fs::read(folder.path().join("log.sqlite-wal")).unwrap();
    let main = fs::read(folder.path().join(LOG_FILE)).unwrap();
    drop(log);
    let reopened = |wal: &[u8]| {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(LOG_FILE), &main).unwrap();
        fs::write(copy.path().join("log.sqlite-wal"), wal).unwrap();
        open(copy.path()).map(|_| ()).map_err(|error| error.to_string())
    };
    reopened(&wal).unwrap();
    reopened(&wal[..wal.len() - 100]).unwrap();
    let mut damaged = wal.clone();
    damaged[wal.len() / 2] ^= 1;
    let error = reopened(&damaged).unwrap_err();
    assert!(error.contains("write-ahead log"), "{error}");
}

#[tokio::test]
async fn a_full_disk_stops_the_writer_and_not_the_readers() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { pages_max: Some(40), ..Options::default() };
    let log = SqliteLog::open(folder.path(), &options).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match log.append(append("s", acknowledged + 1, 20)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, AppendError::Store(StoreError::Unavailable(_))), "{error}");
    let again = log.append(append("other", 1_000_000, 1)).await;
    assert!(matches!(again, Err(AppendError::Store(StoreError::Unavailable(_)))));
    let page = log.read_all(Position::START, 10_000, &Filter::all()).await.unwrap();
    assert_eq!(page.events.len() as u128, acknowledged * 20);
    drop(log);
    let reopened = open(folder.path()).unwrap();
    assert_eq!(u128::from(reopened.head().await.unwrap().0), acknowledged * 20);
    reopened.append(append("other", 1_000_000, 1)).await.unwrap();
}

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
