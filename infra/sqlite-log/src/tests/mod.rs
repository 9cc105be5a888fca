//! Tests of the faults and limits of this engine. The conformance suite tests the contract of the port.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::Connection;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CorrelationId, Expected, NewEvent, conformance};
use uuid::Uuid;

use super::*;

mod backup;
mod damage;

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

/// Removes the triggers that protect the events, and then runs SQL on the file.
fn tamper(folder: &Path, sql: &str) {
    let connection = Connection::open(folder.join(LOG_FILE)).unwrap();
    let drop_triggers = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;";
    connection.execute_batch(drop_triggers).unwrap();
    connection.execute_batch(sql).unwrap();
}

async fn conforms(options: Options) {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    conformance::run(async || {
        let path = folder.path().join(count.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&path).unwrap();
        let log: conformance::Store = SqliteLog::open(&path, &options).unwrap();
        log
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_conforms_to_the_port() {
    conforms(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_conforms_when_almost_all_reads_are_from_disk() {
    conforms(Options { tail_events_max: 2, readers_max: 1, ..Options::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_conforms_when_all_reads_are_from_disk() {
    conforms(Options { tail_events_max: 0, ..Options::default() }).await;
}

// Proves: common.acknowledged-is-on-disk
#[tokio::test]
async fn acknowledged_events_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 10).await;
    // Copying the files of a running log has the same effect as a kill.
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

// Proves: platform.append-only
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
async fn a_full_disk_stops_the_writer_but_not_the_readers() {
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
    assert!(matches!(&error, AppendError::Store(StoreError::Stopped(_))), "{error}");
    let again = log.append(append("other", 1_000_000, 1)).await;
    assert!(matches!(again, Err(AppendError::Store(StoreError::Stopped(_)))));
    let page = log.read_all(Position::START, 10_000, &Filter::all()).await.unwrap();
    assert_eq!(page.events.len() as u128, acknowledged * 20);
    let waited = log.wait_beyond(page.reached).await;
    assert!(matches!(waited, Err(StoreError::Stopped(_))), "no more events will come: {waited:?}");
    drop(log);
    let reopened = open(folder.path()).unwrap();
    assert_eq!(u128::from(reopened.head().await.unwrap().0), acknowledged * 20);
    reopened.append(append("other", 1_000_000, 1)).await.unwrap();
}

#[tokio::test]
async fn a_failed_commit_is_reported_to_every_waiting_append() {
    let folder = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(folder.path(), &Options { pages_max: Some(40), ..Options::default() }).unwrap();
    let tasks: Vec<_> = (0..500)
        .map(|n| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append(append(&format!("s{n}"), n + 1, 10)).await })
        })
        .collect();
    let mut acknowledged = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(appended) => acknowledged += appended.positions.len(),
            Err(AppendError::Store(StoreError::Stopped(why))) => assert!(why.contains("full"), "{why}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(acknowledged < 5_000, "the disk was full");
    let head = log.head().await.unwrap();
    let counters = log.counters();
    assert_eq!((head.0, counters.events), (acknowledged as u64, acknowledged as u64));
}

#[tokio::test]
async fn a_subscription_to_a_reopened_log_reads_from_disk_and_then_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let before = filled(folder.path(), 100).await;
    let id = before.id();
    drop(before);
    let log = open(folder.path()).unwrap();
    assert_eq!(log.id(), id);
    log.append(append("later", 1_000, 5)).await.unwrap();
    let store: Arc<dyn EventStore> = log;
    let mut all = souk_eventsourcing::Subscription::new(store, Position::START, Filter::all(), 7);
    let mut positions = Vec::new();
    while all.position() < Position(205) {
        positions.extend(all.next().await.unwrap().events.iter().map(|event| event.position.0));
    }
    assert_eq!(positions, (1..=205).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_write_ahead_log_stays_bounded_under_constant_load() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    let stream = StreamName::new("thing", "large");
    for n in 1..=240 {
        let large = NewEvent { data: Bytes::from(vec![b' '; 512 * 1024]), ..event(&stream, n, 0) };
        log.append(Append { stream: stream.clone(), expected: Expected::Any, events: vec![large] })
            .await
            .unwrap();
    }
    let wal_bytes = fs::metadata(folder.path().join("log.sqlite-wal")).unwrap().len();
    assert!(wal_bytes < 80 * 1024 * 1024, "120 MiB were written, {wal_bytes} bytes are in the WAL");
}

#[tokio::test]
async fn a_closed_log_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 3).await;
    log.read_stream(&StreamName::new("thing", "s1"), Revision::FIRST, 10).await.unwrap();
    drop(log);
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [LOG_FILE]);
}

#[tokio::test]
async fn statistics_count_events_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let empty = stats(folder.path()).unwrap();
    assert_eq!((empty.events, empty.head, empty.first_at), (0, Position::START, None));
    let log = filled(folder.path(), 10).await;
    let found = stats(folder.path()).unwrap();
    assert_eq!((found.events, found.streams, found.payload_bytes), (20, 3, 20 * 7));
    assert_eq!((found.head, found.log_id), (Position(20), log.id()));
    assert_eq!((found.first_at, found.last_at), (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::UNIX_EPOCH)));
}

/// Regression: a lock of seven seconds by a backup tool once stopped all later writes.
#[tokio::test]
async fn writes_go_on_when_another_program_unlocks_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 3).await;
    let other = Connection::open(folder.path().join(LOG_FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = log.append(append("s1", 10, 2)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Store(StoreError::Unavailable(_))), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    log.append(append("s1", 10, 2)).await.unwrap();
    assert_eq!(log.head().await.unwrap().0, 8);
}
