//! A damaged log is refused, or the damage is found by a read or by a verification.

use super::*;

// Proves: platform.damage-is-found
#[tokio::test]
async fn a_damaged_tail_is_refused_with_its_position() {
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
async fn files_that_are_not_a_log_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LOG_FILE);
    fs::write(&path, "this is not a database, only a text that is long enough to have a header").unwrap();
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
    assert!(matches!(open(folder.path()), Err(OpenError::NewerVersion { found: 9, known: 2, .. })));
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
async fn damage_in_the_wal_before_synced_data_is_refused_but_a_torn_end_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 20).await;
    let mut wal = fs::read(folder.path().join("log.sqlite-wal")).unwrap();
    // Removes the zeros that the file was filled with.
    wal.truncate(wal.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    let main = fs::read(folder.path().join(LOG_FILE)).unwrap();
    drop(log);
    let open_with_wal = |wal: &[u8]| {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(LOG_FILE), &main).unwrap();
        fs::write(copy.path().join("log.sqlite-wal"), wal).unwrap();
        open(copy.path()).map(|_| ()).map_err(|error| error.to_string())
    };
    open_with_wal(&wal).unwrap();
    open_with_wal(&wal[..wal.len() - 100]).unwrap();
    let mut damaged = wal.clone();
    damaged[wal.len() / 2] ^= 1;
    let error = open_with_wal(&damaged).unwrap_err();
    assert!(error.contains("write-ahead log"), "{error}");
}

#[tokio::test]
async fn an_incomplete_log_is_not_replaced_by_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 5).await;
    let copy = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("log.sqlite-wal"), copy.path().join("log.sqlite-wal")).unwrap();
    drop(log);
    let error = open(copy.path()).err().expect("the file is missing").to_string();
    assert!(error.contains("missing"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join(LOG_FILE), "").unwrap();
    let error = open(empty.path()).err().expect("the file is empty").to_string();
    assert!(error.contains("empty"), "{error}");
}

#[tokio::test]
async fn a_log_whose_creation_was_interrupted_is_created_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.sqlite.new"), "half of a schema").unwrap();
    let log = open(folder.path()).unwrap();
    log.append(append("s", 1, 1)).await.unwrap();
    assert!(!folder.path().join("log.sqlite.new").exists());
}

#[tokio::test]
async fn damage_far_from_the_tail_is_found_by_reads_and_by_a_verification() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    for n in 1..=4 {
        log.append(append("s", n, 500)).await.unwrap();
    }
    drop(log);
    tamper(folder.path(), "UPDATE events SET recorded_at_us = 1 WHERE position = 7");
    let log = open(folder.path()).unwrap();
    let result = log.read_all(Position::START, 100, &Filter::types(["other"])).await;
    assert!(matches!(&result, Err(StoreError::Damaged(what)) if what.contains("position 7")), "{result:?}");
    let result = log.read_stream(&StreamName::new("thing", "s"), Revision::FIRST, 100).await;
    assert!(matches!(&result, Err(StoreError::Damaged(what)) if what.contains("position 7")), "{result:?}");
    log.append(append("s", 9, 1)).await.unwrap();
    let report = verify(folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!((report.problems_found, report.problems[0].position, report.events), (1, Position(7), 2_001));
}

#[tokio::test]
async fn a_verification_names_every_gap() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    log.append(append("a", 1, 1_500)).await.unwrap();
    drop(log);
    tamper(folder.path(), "DELETE FROM events WHERE position IN (3, 4, 1200)");
    let report = verify(folder.path(), &mut |_, _| ()).unwrap();
    let found: Vec<_> = report.problems.iter().map(|p| (p.position.0, p.what.as_str())).collect();
    assert_eq!(
        found,
        [
            (3, "2 events are missing here"),
            (5, "thing-a continues with revision 4, not 2"),
            (1200, "1 events are missing here"),
            (1201, "thing-a continues with revision 1200, not 1199"),
        ]
    );
}

#[tokio::test]
async fn a_verification_finds_an_index_that_differs_from_the_table() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 5).await);
    tamper(
        folder.path(),
        "PRAGMA writable_schema = ON; \
        UPDATE sqlite_schema SET sql = replace(sql, '(event_id)', '(command_id)') WHERE name = 'events_by_id'",
    );
    let report = verify(folder.path(), &mut |_, _| ()).unwrap();
    assert!(report.problems.iter().any(|p| p.position == Position::START), "{report:?}");
}

/// After a change of one byte of the file, the log is refused, a verification finds the damage, or no event
/// has changed.
// Proves: platform.damage-is-found
#[tokio::test]
async fn a_changed_byte_in_the_file_is_refused_or_found_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 12).await);
    let undamaged = fs::read(folder.path().join(LOG_FILE)).unwrap();
    let all_events = events_of(folder.path()).await.unwrap();
    assert_eq!(all_events.len(), 24);
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join(LOG_FILE);
    let mut refused = 0;
    let mut found = 0;
    let mut harmless = 0;
    for at in (0..undamaged.len()).step_by(67) {
        let mut damaged = undamaged.clone();
        damaged[at] ^= 0x15;
        fs::write(&path, damaged).unwrap();
        match (open(copy.path()).map(drop), verify(copy.path(), &mut |_, _| ())) {
            (Err(_), _) => refused += 1,
            (Ok(()), Err(_)) => found += 1,
            (Ok(()), Ok(report)) if report.problems_found > 0 => found += 1,
            (Ok(()), Ok(_)) => {
                assert_eq!(events_of(copy.path()).await.unwrap(), all_events, "byte {at}");
                harmless += 1;
            }
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(copy.path().join(format!("{LOG_FILE}{suffix}")));
        }
    }
    assert!(refused > 50 && found > 5 && harmless > 50, "{refused} {found} {harmless}");
}

async fn events_of(folder: &Path) -> Result<Vec<RecordedEvent>, StoreError> {
    let log = open(folder).unwrap();
    Ok(log.read_all(Position::START, 1_000, &Filter::all()).await?.events)
}
