//! Tests that statements use indexes and do not scan whole tables.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use souk_http_shop::Shop;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, SqlitePool};

/// Returns the steps of the query plan of a statement.
async fn plan(pool: &SqlitePool, sql: &str) -> Vec<String> {
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(explained).fetch_all(pool).await.unwrap();
    rows.into_iter().map(|(_, _, _, step)| step).collect()
}

/// Removes versions and build numbers from the table and index names in a step. In a new database, builds are
/// numbered in the order of models.
fn without_builds(step: &str) -> String {
    let mut step = step.to_owned();
    for (number, model) in (1..).zip(souk_projections::models()) {
        for name in std::iter::once(model.name).chain(model.sums.iter().map(|sum| sum.name)) {
            step = step.replace(&format!("{name}_v{}_{number}", model.version), name);
        }
    }
    step
}

fn source_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// Returns the paths of all statements, such as `orders/get.sql`.
fn statements() -> Vec<String> {
    let mut paths = Vec::new();
    for folder in fs::read_dir(source_folder()).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "sql") {
                let path = file.strip_prefix(source_folder()).unwrap();
                paths.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    paths.sort();
    paths
}

/// Returns the connections to the read models of a new shop, and the shop, which owns their folder.
async fn read_models() -> (Shop, SqlitePool) {
    let shop = Shop::open().await;
    let file = shop.read_models_file();
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    (shop, pool)
}

/// The snapshot has the searches of each statement: the table, the index and the columns that are compared.
#[tokio::test]
async fn every_statement_uses_an_index() {
    let (_shop, pool) = read_models().await;
    let mut searches = String::new();
    for path in statements() {
        let steps = plan(&pool, &fs::read_to_string(source_folder().join(&path)).unwrap()).await;
        let searched: Vec<&String> = steps.iter().filter(|step| step.starts_with("SEARCH")).collect();
        assert!(!searched.is_empty(), "{path}: {steps:#?}");
        let scanned = steps.iter().any(|step| step.starts_with("SCAN") && step.contains("_v"));
        assert!(!scanned, "{path}: {steps:#?}");
        writeln!(searches, "{path}").unwrap();
        for step in searched {
            writeln!(searches, "    {}", without_builds(step)).unwrap();
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("searches", searches);
    });
}

#[tokio::test]
async fn statements_limit_pages_without_sorting() {
    let (_shop, pool) = read_models().await;
    let mut limited = 0;
    for path in statements() {
        let sql = fs::read_to_string(source_folder().join(&path)).unwrap();
        // The parked entities of all builds are in one table with few rows.
        let is_of_a_page = sql.contains("ORDER BY") && sql.contains("LIMIT") && path != "parked/list.sql";
        if is_of_a_page {
            limited += 1;
            let steps = plan(&pool, &sql).await;
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{path}: {steps:#?}");
        }
    }
    assert!(limited >= 13, "only {limited} statements of pages were found");
}
