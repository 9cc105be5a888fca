//! Tests that statements use indexes and do not scan whole tables.

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

/// Adds the build number to the table names in a plan. In a new database, builds are numbered in the order of
/// models.
fn with_build_numbers(plan: &str) -> String {
    let mut plan = plan.to_owned();
    for (number, model) in (1..).zip(souk_projections::models()) {
        for name in std::iter::once(model.name).chain(model.sums.iter().map(|sum| sum.name)) {
            let table = format!("{name}_v{}", model.version);
            let starts = |(at, _): &(usize, &str)| {
                at.checked_sub(1).is_none_or(|at| !plan[at..].starts_with(char::is_alphabetic))
            };
            let places: Vec<usize> = plan.match_indices(&table).filter(starts).map(|(at, _)| at).collect();
            for at in places.into_iter().rev() {
                plan.insert_str(at + table.len(), &format!("_{number}"));
            }
        }
    }
    plan
}

/// Each statement with a table that it searches, and the index for it.
const SEARCHES: &[(&str, &str)] = &[
    ("cart/get.sql", "cart_lines_v2 USING INDEX sqlite_autoindex_cart_lines_v2_1 (key>? AND key<?)"),
    ("dead_letters/list.sql", "payment_debts_v1 USING INDEX payment_debts_v1_0 ("),
    ("inventory/get.sql", "stock_v1 USING INDEX sqlite_autoindex_stock_v1_1 (key=?)"),
    ("inventory/list.sql", "stock_v1 USING INDEX stock_v1_0 ("),
    ("order_notes/list.sql", "order_notes_v1 USING INDEX order_notes_v1_0 (order_id=? AND number>?)"),
    ("order_notes/order.sql", "orders_v4 USING INDEX sqlite_autoindex_orders_v4_1 (key=?)"),
    ("orders/candidates_of_code.sql", "orders_v4 USING INDEX orders_v4_3 (code=?)"),
    ("orders/get.sql", "orders_v4 USING INDEX sqlite_autoindex_orders_v4_1 (key=?)"),
    ("orders/get_several.sql", "orders_v4 USING INDEX sqlite_autoindex_orders_v4_1 (key=?)"),
    ("orders/lines.sql", "order_lines_v1 USING INDEX sqlite_autoindex_order_lines_v1_1 (key>? AND key<?)"),
    ("orders/list.sql", "orders_v4 USING INDEX orders_v4_0 ("),
    ("orders/list_of_customer.sql", "orders_v4 USING INDEX orders_v4_1 (customer_id=? AND"),
    ("orders/list_of_status.sql", "orders_v4 USING INDEX orders_v4_2 (status=? AND"),
    ("orders/list_without_address.sql", "orders_v4 USING INDEX orders_v4_5 (address_erased=? AND"),
    (
        "orders/reservations.sql",
        "reservations_v1 USING COVERING INDEX sqlite_autoindex_reservations_v1_1 (key>? AND key<?)",
    ),
    ("parked/list.sql", "parked USING PRIMARY KEY (owner>?)"),
    ("payments/get.sql", "payments_v5 USING INDEX sqlite_autoindex_payments_v5_1 (key=?)"),
    ("payments/list.sql", "payments_v5 USING INDEX payments_v5_0 ("),
    ("products/available.sql", "variants_v1 USING INDEX variants_v1_0 (product_id=?)"),
    ("products/available.sql", "stock_v1 USING INDEX sqlite_autoindex_stock_v1_1 (key=?)"),
    ("products/get.sql", "products_v3 USING INDEX sqlite_autoindex_products_v3_1 (key=?)"),
    ("products/get_several.sql", "products_v3 USING INDEX sqlite_autoindex_products_v3_1 (key=?)"),
    ("products/list_by_name.sql", "products_v3 USING INDEX products_v3_1 ("),
    ("products/list_by_name_descending.sql", "products_v3 USING INDEX products_v3_1 ("),
    ("products/list_by_price.sql", "products_v3 USING INDEX products_v3_2 ("),
    ("products/list_by_price_descending.sql", "products_v3 USING INDEX products_v3_2 ("),
    ("products/list_newest.sql", "products_v3 USING INDEX products_v3_0 ("),
    ("projections/list.sql", "parked USING PRIMARY KEY (owner=? AND build=?)"),
    ("sales/list.sql", "sales_v4 USING PRIMARY KEY (key>? AND key<?)"),
    ("sales/list.sql", "refunds_v5 USING PRIMARY KEY (key>? AND key<?)"),
    ("users/get.sql", "users_v3 USING INDEX sqlite_autoindex_users_v3_1 (key=?)"),
];

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

#[tokio::test]
async fn every_statement_uses_an_index() {
    let (_shop, pool) = read_models().await;
    let mut planned: Vec<&str> = SEARCHES.iter().map(|(path, _)| *path).collect();
    planned.dedup();
    assert_eq!(planned, statements(), "SEARCHES does not list every statement in alphabetical order");
    for (path, expected) in SEARCHES {
        let expected = with_build_numbers(expected);
        let steps = plan(&pool, &fs::read_to_string(source_folder().join(path)).unwrap()).await;
        let searched = steps.iter().any(|step| step.starts_with("SEARCH") && step.contains(&expected));
        assert!(searched, "{path}: {expected} is not in {steps:#?}");
        let scanned = steps.iter().any(|step| step.starts_with("SCAN") && step.contains("_v"));
        assert!(!scanned, "{path}: {steps:#?}");
    }
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
