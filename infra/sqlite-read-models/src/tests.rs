use souk_eventsourcing::projector::{Column, ColumnType, RowChange, Sum, SumChange, Value};

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
static THINGS_2: Model = Model { version: 2, ..THINGS };

fn row(key: &str, size: i64) -> RowChange {
    let columns = vec![Value::Text("red".into()), Value::Integer(size)];
    RowChange { key: key.into(), content: Some((format!("{{\"size\":{size}}}").into_bytes(), columns)) }
}

fn sum(contributors: i64, size: i64) -> SumChange {
    SumChange { sum: "colours", key: "red".into(), contributors, deltas: vec![size] }
}

fn change(rows: Vec<RowChange>, sums: Vec<SumChange>, checkpoint: u64) -> Vec<ModelChange> {
    vec![ModelChange { model: &THINGS, rows, sums, checkpoint: Position(checkpoint) }]
}

async fn opened(folder: &Path) -> Arc<SqliteReadModels> {
    let models = SqliteReadModels::open(folder).unwrap();
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
    let mut loaded = ReadModelStore::load(&*models, &THINGS, vec!["b".into(), "c".into()]).await.unwrap();
    assert_eq!(loaded.pop(), Some(("b".to_owned(), b"{\"size\":2}".to_vec())));
    assert_eq!(ReadModelStore::open(&*models, &[&THINGS]).await.unwrap(), [Position(7)]);
    assert_eq!(query(folder.path(), "SELECT size FROM things WHERE colour = 'red' ORDER BY key"), [1, 2]);
    assert_eq!(query(folder.path(), "SELECT size FROM colours"), [3]);
}

#[tokio::test]
async fn a_sum_goes_with_its_last_contributor() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 1)).await.unwrap();
    let gone = RowChange { key: "a".into(), content: None };
    models.commit(change(vec![gone], vec![sum(-1, -1)], 2)).await.unwrap();
    assert!(query(folder.path(), "SELECT size FROM colours").is_empty());
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let text_for_a_number = vec![Value::Text("red".into()), Value::Text("large".into())];
    let broken = RowChange { key: "b".into(), content: Some((b"{}".to_vec(), text_for_a_number)) };
    models.commit(change(vec![row("a", 1), broken], vec![sum(1, 1)], 5)).await.unwrap_err();
    assert_eq!(ReadModelStore::open(&*models, &[&THINGS]).await.unwrap(), [Position::START]);
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
}

#[tokio::test]
async fn a_new_version_begins_anew_behind_the_same_view() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![], 9)).await.unwrap();
    assert_eq!(ReadModelStore::open(&*models, &[&THINGS_2]).await.unwrap(), [Position::START]);
    assert!(query(folder.path(), "SELECT size FROM things").is_empty());
    assert_eq!(query(folder.path(), "SELECT count(*) FROM sqlite_schema WHERE name = 'things_v1'"), [0]);
}

#[tokio::test]
async fn a_model_is_emptied_for_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    models.commit(change(vec![row("a", 1)], vec![sum(1, 1)], 9)).await.unwrap();
    models.reset(&THINGS).await.unwrap();
    assert_eq!(ReadModelStore::open(&*models, &[&THINGS]).await.unwrap(), [Position::START]);
    assert!(query(folder.path(), "SELECT size FROM colours").is_empty());
}

#[tokio::test]
async fn process_state_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let models = opened(folder.path()).await;
    let saved = vec![("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), Some(b"2".to_vec()))];
    models.save("checkout", saved, Position(3)).await.unwrap();
    models.save("checkout", vec![("a".to_owned(), None)], Position(4)).await.unwrap();
    let rows = ProcessStateStore::load(&*models, "checkout").await.unwrap();
    let expected = ProcessRows { rows: vec![("b".to_owned(), b"2".to_vec())], checkpoint: Position(4) };
    assert_eq!(rows, expected);
    assert_eq!(ProcessStateStore::load(&*models, "other").await.unwrap(), ProcessRows::default());
}

#[tokio::test]
async fn two_databases_are_compared_row_by_row() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (left, right) = (opened(one.path()).await, opened(other.path()).await);
    left.commit(change(vec![row("a", 1), row("b", 2), row("c", 3)], vec![sum(3, 6)], 1)).await.unwrap();
    right.commit(change(vec![row("a", 1), row("c", 4), row("d", 5)], vec![sum(3, 6)], 1)).await.unwrap();
    let comparison = compare(one.path(), other.path(), &[&THINGS]).unwrap();
    let keys: Vec<&str> = comparison.differences.iter().map(|difference| difference.key.as_str()).collect();
    assert_eq!((comparison.rows, comparison.different, keys), (5, 3, vec!["b", "c", "d"]));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(READ_MODELS_FILE), "some text that is longer than a header".repeat(20)).unwrap();
    let error = SqliteReadModels::open(folder.path()).err().expect("it is refused").to_string();
    assert!(error.contains("souk replay --all"), "{error}");
}
