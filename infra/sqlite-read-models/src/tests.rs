use jiff::Timestamp;
use rusqlite::Connection;
use souk_eventsourcing::parking::{ApplyFailure, Parked, ParkingChange};
use souk_eventsourcing::projector::{Column, ColumnType, RowChange, Sum, SumChange, Value};
use souk_eventsourcing::{Revision, StreamName};
use uuid::Uuid;

use super::*;

static THINGS: Model = Model {
    name: "things",
    version: 1,
    columns: &[
        Column { name: "colour", column_type: ColumnType::Text },
        Column { name: "size", column_type: ColumnType::Integer },
    ],
    indexes: &["colour, key"],
    sums: &[Sum { name: "colours", columns: &["size"] }],
};
static THINGS_2: Model = Model { version: 2, sums: &[], ..THINGS };
/// The build that a new database begins with.
const FIRST: Build = Build { model: &THINGS, number: 1 };
/// A model whose names are keywords of SQL.
static ORDER: Model = Model {
    name: "order",
    version: 1,
    columns: &[Column { name: "group", column_type: ColumnType::Text }],
    indexes: &["\"group\", key"],
    sums: &[Sum { name: "select", columns: &["from"] }],
};

fn row(key: &str, size: i64) -> RowChange {
    let columns = vec![Value::Text("red".into()), Value::Integer(size)];
    RowChange { key: key.into(), content: Some((format!("{{\"size\":{size}}}").into_bytes(), columns)) }
}

fn sum(contributors: i64, size: i64) -> SumChange {
    SumChange { sum: "colours", key: "red".into(), contributors, deltas: vec![size] }
}

fn change(rows: Vec<RowChange>, sums: Vec<SumChange>, checkpoint: u64) -> Vec<ModelChange> {
    vec![of_build(FIRST, rows, sums, 0, checkpoint)]
}

/// The same change for a build whose checkpoint is at another position.
fn after(from: u64, change: Vec<ModelChange>) -> Vec<ModelChange> {
    change.into_iter().map(|change| ModelChange { from: Position(from), ..change }).collect()
}

fn of_build(
    build: Build,
    rows: Vec<RowChange>,
    sums: Vec<SumChange>,
    from: u64,
    checkpoint: u64,
) -> ModelChange {
    ModelChange {
        build,
        rows,
        sums,
        parking: ParkingChange::default(),
        from: Position(from),
        checkpoint: Position(checkpoint),
    }
}

/// Opens these models and returns the checkpoints of their builds.
async fn checkpoints(models: &SqliteReadModels, opened_models: &[&'static Model]) -> Vec<Position> {
    let opened = ReadModelStore::open(models, opened_models).await.unwrap();
    opened.into_iter().map(|opened| opened.checkpoint).collect()
}

async fn opened(folder: &Path) -> Arc<SqliteReadModels> {
    let models = SqliteReadModels::open(folder, Uuid::nil(), Tuning::SERVING).unwrap();
    ReadModelStore::open(&*models, &[&THINGS]).await.unwrap();
    models
}

fn query(folder: &Path, sql: &str) -> Vec<i64> {
    let connection = Connection::open(folder.join(READ_MODELS_FILE)).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn rows_sums_and_checkpoint_are_written_together_and_read_through_views() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1), row("b", 2)], vec![sum(2, 3)], 7)).await.unwrap();
    let mut loaded = ReadModelStore::load(&*models, FIRST, vec!["b".into(), "c".into()]).await.unwrap();
    assert_eq!(loaded.pop(), Some(("b".to_owned(), b"{\"size\":2}".to_vec())));
    assert_eq!(checkpoints(&models, &[&THINGS]).await, [Position(7)]);
    assert_eq!(query(folder.path(), "SELECT size FROM things WHERE colour = 'red' ORDER BY key"), [1, 2]);
    assert_eq!(query(folder.path(), "SELECT size FROM colours"), [3]);
}

#[tokio::test]
async fn a_sum_without_contributors_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 1)).await.unwrap();
    let gone = RowChange { key: "a".into(), content: None };
    models.commit(after(1, change(vec![gone], vec![sum(-1, -1)], 2))).await.unwrap();
    assert!(query(folder.path(), "SELECT size FROM colours").is_empty());
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
}

#[tokio::test]
async fn a_failed_change_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let text_for_a_number = vec![Value::Text("red".into()), Value::Text("large".into())];
    let broken = RowChange { key: "b".into(), content: Some((b"{}".to_vec(), text_for_a_number)) };
    models.commit(change(vec![row("a", 1), broken], vec![sum(1, 1)], 5)).await.unwrap_err();
    assert_eq!(checkpoints(&models, &[&THINGS]).await, [Position::START]);
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
}

/// Counts the tables, indexes and views of the model in the database.
const OBJECTS_OF_THINGS: &str =
    "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'thing%' OR name LIKE 'colours%'";

#[tokio::test]
async fn a_failing_change_rolls_back_the_changes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let mut changes = change(vec![row("a", 1)], vec![sum(1, 1)], 5);
    let rows = vec![RowChange { key: "b".into(), content: Some((b"{}".to_vec(), vec![])) }];
    changes.push(of_build(Build { model: &ORDER, number: 2 }, rows, vec![], 0, 5));
    let error = models.commit(changes.clone()).await.unwrap_err().to_string();
    assert!(error.contains("build 2 of read model order is no longer at position 0"), "{error}");
    ReadModelStore::open(&*models, &[&THINGS, &ORDER]).await.unwrap();
    let error = models.commit(changes).await.unwrap_err().to_string();
    assert!(error.contains("`b` of order has 0 values, its table has 1 columns"), "{error}");
    assert_eq!(checkpoints(&models, &[&THINGS, &ORDER]).await, [Position::START; 2]);
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
    assert!(query(folder.path(), "SELECT size FROM colours").is_empty());
}

#[tokio::test]
async fn a_sum_that_the_model_does_not_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let unknown = SumChange { sum: "weights", ..sum(1, 1) };
    let error = models.commit(change(vec![row("a", 1)], vec![unknown], 5)).await.unwrap_err().to_string();
    assert!(error.contains("things has no sum `weights`"), "{error}");
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
}

// Proves: platform.applied-once
#[tokio::test]
async fn a_change_from_a_wrong_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 5)).await.unwrap();
    let error = models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 5)).await.unwrap_err().to_string();
    assert!(error.contains("another program folds into it"), "{error}");
    assert_eq!(query(folder.path(), "SELECT contributors FROM colours"), [1]);
}

#[tokio::test]
async fn changes_of_sums_are_added_to_each_key() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let blue = |contributors, size| SumChange { key: "blue".into(), ..sum(contributors, size) };
    models.commit(change(vec![], vec![sum(2, 30), blue(1, 5)], 1)).await.unwrap();
    models.commit(after(1, change(vec![], vec![sum(-1, -10), blue(0, 2)], 2))).await.unwrap();
    assert_eq!(query(folder.path(), "SELECT size FROM colours ORDER BY key"), [7, 20]);
    assert_eq!(query(folder.path(), "SELECT contributors FROM colours ORDER BY key"), [1, 1]);
}

/// Removes all old builds.
async fn tidied(models: &SqliteReadModels) {
    while models.tidy(1).await.unwrap() {}
}

#[tokio::test]
async fn a_new_version_is_built_beside_the_old_one_and_replaces_it_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 9)).await.unwrap();
    let next = ReadModelStore::open(&*models, &[&THINGS_2]).await.unwrap().remove(0);
    assert_eq!((next.is_live, next.checkpoint), (false, Position::START));
    models.commit(vec![of_build(next.build, vec![row("b", 5)], vec![], 0, 3)]).await.unwrap();
    assert_eq!(query(folder.path(), "SELECT size FROM things"), [1], "queries see the live build");
    models.commit(after(9, change(vec![row("c", 2)], vec![], 10))).await.unwrap();
    let again = ReadModelStore::open(&*models, &[&THINGS_2]).await.unwrap().remove(0);
    assert_eq!(
        (again.build, again.checkpoint),
        (next.build, Position(3)),
        "the build continues at its checkpoint"
    );

    models.switch(vec![next.build]).await.unwrap();
    assert_eq!(query(folder.path(), "SELECT size FROM things"), [5]);
    models.commit(change(vec![row("a", 2)], vec![], 11)).await.unwrap_err();
    models.switch(vec![next.build]).await.unwrap_err();
    tidied(&models).await;
    let names = "SELECT count(*) FROM sqlite_schema WHERE name IN ('things', 'things_v2_2', 'things_v2_2_0')";
    assert_eq!(query(folder.path(), names), [3]);
    assert_eq!(query(folder.path(), OBJECTS_OF_THINGS), [3], "only the new build is left");
    assert_eq!(query(folder.path(), "SELECT number FROM builds"), [2]);
}

#[tokio::test]
async fn a_build_of_the_same_version_is_made_beside_the_live_one() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 9)).await.unwrap();
    let next = models.begin(&THINGS, Purpose::Next, Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(models.begin(&THINGS, Purpose::Next, Timestamp::UNIX_EPOCH).await.unwrap(), next);
    models.commit(vec![of_build(next.build, vec![row("a", 7)], vec![sum(1, 7)], 0, 9)]).await.unwrap();
    assert_eq!(checkpoints(&models, &[&THINGS]).await, [Position(9)]);
    assert_eq!(query(folder.path(), "SELECT size FROM colours"), [1]);
    models.switch(vec![next.build]).await.unwrap();
    assert_eq!(query(folder.path(), "SELECT size FROM colours"), [7]);
    tidied(&models).await;
    assert_eq!(query(folder.path(), "SELECT count(*) FROM build_tables"), [2]);
}

// Proves: platform.rebuild-for-a-position
#[tokio::test]
async fn a_build_for_a_position_has_its_own_views_until_it_is_abandoned() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let then = models.begin(&THINGS, Purpose::Until(Position(5)), Timestamp::UNIX_EPOCH).await.unwrap();
    models.commit(vec![of_build(then.build, vec![row("a", 3)], vec![sum(1, 3)], 0, 5)]).await.unwrap();
    assert_eq!(query(folder.path(), "SELECT size FROM things_until_5"), [3]);
    assert_eq!(query(folder.path(), "SELECT size FROM colours_until_5"), [3]);
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
    models.abandon(then.build).await.unwrap();
    tidied(&models).await;
    assert_eq!(query(folder.path(), "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%until%'"), [0]);
}

#[tokio::test]
async fn a_build_for_a_position_expires_if_it_is_not_requested_again() {
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    for position in [5, 6] {
        models.begin(&THINGS, Purpose::Until(Position(position)), at(10)).await.unwrap();
    }
    models.begin(&THINGS, Purpose::Until(Position(6)), at(20)).await.unwrap();
    assert_eq!(models.expire(at(10)).await.unwrap(), 0);
    assert_eq!(models.expire(at(11)).await.unwrap(), 1);
    tidied(&models).await;
    let remaining = "SELECT name LIKE '%until_6' FROM sqlite_schema WHERE name LIKE 'things_until%'";
    assert_eq!(query(folder.path(), remaining), [1]);
    assert_eq!(query(folder.path(), "SELECT count(*) FROM builds WHERE state = 'live'"), [1]);
}

#[tokio::test]
async fn models_that_are_no_longer_known_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    ReadModelStore::open(&*models, &[&ORDER]).await.unwrap();
    tidied(&models).await;
    assert_eq!(query(folder.path(), OBJECTS_OF_THINGS), [0]);
}

fn parked(entity: Entity, keys: &[&str]) -> Parked {
    let failure = ApplyFailure {
        entity,
        stream: StreamName::new("thing", "a"),
        revision: Revision(3),
        position: Position(8),
        reason: "it does not decode".to_owned(),
        can_be_skipped: true,
    };
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Parked { failure, keys, since: "2026-11-21T12:00:00Z".parse().unwrap() }
}

#[tokio::test]
async fn parked_entities_and_waiting_events_are_stored_with_the_rows_until_the_release() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let stream = Entity::Stream(StreamName::new("thing", "a"));
    let item = parked(stream.clone(), &["a", "b"]);
    let waiting = vec![(stream.clone(), Position(8)), (stream.clone(), Position(9))];
    let parking = ParkingChange { parked: vec![item.clone()], waiting, released: vec![] };
    models.commit(vec![ModelChange { parking, ..of_build(FIRST, vec![], vec![], 0, 9) }]).await.unwrap();
    let opened = ReadModelStore::open(&*models, &[&THINGS]).await.unwrap().remove(0);
    assert_eq!(opened.parked, std::slice::from_ref(&item));
    let waiting = ReadModelStore::waiting(&*models, FIRST, stream.clone()).await.unwrap();
    assert_eq!(waiting, [Position(8), Position(9)]);
    let shown = Snapshot::open(folder.path()).unwrap().parked().unwrap().remove(0);
    assert_eq!((shown.owner.as_str(), shown.kind.as_str(), shown.waiting), ("things", "stream", 2));

    let parking = ParkingChange { released: vec![item], ..ParkingChange::default() };
    models.commit(vec![ModelChange { parking, ..of_build(FIRST, vec![], vec![], 9, 9) }]).await.unwrap();
    assert!(Snapshot::open(folder.path()).unwrap().parked().unwrap().is_empty());
    assert_eq!(query(folder.path(), "SELECT count(*) FROM parked_events"), [0]);
    assert_eq!(query(folder.path(), "SELECT count(*) FROM parked_keys"), [0]);
}

#[tokio::test]
async fn committed_rows_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 9)).await.unwrap();
    drop(models);
    let models = SqliteReadModels::open(folder.path(), Uuid::nil(), Tuning::SERVING).unwrap();
    assert_eq!(checkpoints(&models, &[&THINGS]).await, [Position(9)]);
    assert_eq!(query(folder.path(), "SELECT size FROM things"), [1]);
}

#[tokio::test]
async fn names_that_are_keywords_of_sql_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let models = SqliteReadModels::open(folder.path(), Uuid::nil(), Tuning::SERVING).unwrap();
    ReadModelStore::open(&*models, &[&ORDER]).await.unwrap();
    let rows =
        vec![RowChange { key: "a".into(), content: Some((b"{}".to_vec(), vec![Value::Text("x".into())])) }];
    let sums = vec![SumChange { sum: "select", key: "x".into(), contributors: 1, deltas: vec![4] }];
    let build = Build { model: &ORDER, number: 1 };
    models.commit(vec![of_build(build, rows, sums, 0, 1)]).await.unwrap();
    assert_eq!(query(folder.path(), "SELECT \"from\" FROM \"select\""), [4]);
}

#[tokio::test]
async fn process_state_is_loaded_as_saved_and_only_for_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let shape = |version| ProcessShape { name: "checkout", version };
    let change = |rows: &[(&str, Option<&str>)], checkpoint| ProcessChange {
        rows: rows
            .iter()
            .map(|(id, row)| ((*id).to_owned(), row.map(|row| row.as_bytes().to_vec())))
            .collect(),
        parking: ParkingChange::default(),
        checkpoint: Position(checkpoint),
    };
    models.save(shape(1), change(&[("a", Some("1")), ("b", Some("2"))], 3)).await.unwrap();
    models.save(shape(1), change(&[("a", None)], 4)).await.unwrap();
    let rows = ProcessStateStore::load(&*models, shape(1)).await.unwrap();
    assert_eq!((rows.rows, rows.checkpoint), (vec![("b".to_owned(), b"2".to_vec())], Position(4)));
    assert_eq!(ProcessStateStore::load(&*models, shape(2)).await.unwrap(), ProcessRows::default());
    models.save(shape(2), change(&[("c", Some("3"))], 2)).await.unwrap();
    models.forget_others(shape(2)).await.unwrap();
    assert_eq!(ProcessStateStore::load(&*models, shape(1)).await.unwrap(), ProcessRows::default());
    assert_eq!(ProcessStateStore::load(&*models, shape(2)).await.unwrap().rows.len(), 1);
}

async fn two_databases(left: Vec<ModelChange>, right: Vec<ModelChange>) -> Comparison {
    let left_folder = tempfile::tempdir().unwrap();
    let left_models = opened(left_folder.path()).await;
    left_models.commit(left).await.unwrap();
    let left = Snapshot { connection: open::for_reading(left_models.path()).unwrap() };
    let right_folder = tempfile::tempdir().unwrap();
    let right_models = opened(right_folder.path()).await;
    right_models.commit(right).await.unwrap();
    let right = Snapshot { connection: open::for_reading(right_models.path()).unwrap() };
    let pair = Pair { left: FIRST, left_version: 1, right: FIRST };
    compare(&left, &right, &[pair], &mut |_, _| ()).unwrap()
}

#[tokio::test]
async fn missing_extra_and_different_rows_are_found() {
    let left = change(vec![row("a", 1), row("b", 2), row("c", 3)], vec![sum(3, 6)], 1);
    let right = change(vec![row("a", 1), row("c", 4), row("d", 5)], vec![sum(3, 7)], 1);
    let comparison = two_databases(left, right).await;
    let found = |difference: &Difference| {
        (difference.key.clone(), difference.left.is_some(), difference.right.is_some())
    };
    let found: Vec<_> = comparison.differences.iter().map(found).collect();
    let expected = [("b", true, false), ("c", true, true), ("d", false, true), ("red", true, true)];
    assert_eq!(found, expected.map(|(key, left, right)| (key.to_owned(), left, right)));
    assert_eq!((comparison.rows, comparison.different), (5, 4));
    let of_sum = &comparison.differences[3];
    assert_eq!((of_sum.model, of_sum.table.as_str()), ("things", "colours_v1_1"));
    assert_eq!(of_sum.right.as_deref(), Some("contributors=3 size=7"));
}

#[tokio::test]
async fn equal_databases_have_no_difference() {
    let all = change(vec![row("a", 1), row("b", 2)], vec![sum(2, 3)], 1);
    let comparison = two_databases(all.clone(), all).await;
    assert_eq!(comparison, Comparison { rows: 3, different: 0, differences: vec![] });
}

#[tokio::test]
async fn a_null_differs_from_the_text_null() {
    let with = |colour| {
        let content = Some((b"{}".to_vec(), vec![colour, Value::Null]));
        change(vec![RowChange { key: "a".into(), content }], vec![], 1)
    };
    assert_eq!(two_databases(with(Value::Null), with(Value::Text("NULL".into()))).await.different, 1);
}

#[tokio::test]
async fn all_differences_are_counted_but_only_some_are_shown() {
    let rows = (0..100).map(|number| row(&number.to_string(), number)).collect();
    let comparison = two_databases(change(rows, vec![], 1), change(vec![], vec![], 1)).await;
    assert_eq!((comparison.different, comparison.differences.len()), (100, DIFFERENCES_SHOWN_MAX));
}

/// Damages a database by `damage`, and returns the error of opening it.
async fn open_error(damage: impl FnOnce(&Path)) -> OpenError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(READ_MODELS_FILE);
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![], 1)).await.unwrap();
    // Moves the WAL into the file.
    let moved = |writer: &mut Writer| {
        Ok(writer.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(models.run(moved).await.unwrap(), 0);
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join(READ_MODELS_FILE);
    std::fs::copy(path, &copied).unwrap();
    damage(&copied);
    SqliteReadModels::open(copy.path(), Uuid::nil(), Tuning::SERVING).err().expect("it is refused")
}

fn overwrite(path: &Path, from: usize, with: u8, length: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[from..from + length].fill(with);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_advice() {
    for (from, length) in [(0, 16), (100, 200)] {
        let error = open_error(|path| overwrite(path, from, 0xA5, length)).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("remove the file"), "{error}");
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_with_advice() {
    let error =
        open_error(|path| Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap());
    let error = error.await;
    assert!(matches!(error, OpenError::NewerFormat { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("remove the file"), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let error = open_error(|path| {
        Connection::open(path).unwrap().pragma_update(None, "application_id", 7).unwrap();
    });
    let error = error.await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn a_missing_folder_is_refused_without_the_advice_to_remove_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteReadModels::open(&folder.path().join("none"), Uuid::nil(), Tuning::SERVING)
        .err()
        .expect("it is refused");
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error}");
    assert!(!error.to_string().contains("remove the file"), "{error}");
}

#[tokio::test]
async fn damage_in_a_table_is_reported_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let lost = |writer: &mut Writer| {
        let sql = "PRAGMA writable_schema = ON; \
                   UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'things_v1_1'; PRAGMA writable_schema = RESET";
        Ok(writer.connection.execute_batch(sql)?)
    };
    models.run(lost).await.unwrap();
    let error = models.commit(change(vec![row("a", 1)], vec![], 1)).await.unwrap_err().to_string();
    assert!(error.contains("remove the file"), "{error}");
}
