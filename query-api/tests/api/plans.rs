//! Tests that statements use indexes and do not scan whole tables.

use souk_query_api::orders::statements as orders;
use souk_query_api::products::statements as products;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, SqlitePool};

use crate::shop::Shop;

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

#[tokio::test]
async fn every_statement_uses_an_index() {
    let shop = Shop::open().await;
    let file = shop.folder.path().join(souk_sqlite_read_models::READ_MODELS_FILE);
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    let statements = [
        (products::NEWEST, "products_v3 USING INDEX products_v3_0 ("),
        (products::NAME, "products_v3 USING INDEX products_v3_1 ("),
        (products::NAME_DESCENDING, "products_v3 USING INDEX products_v3_1 ("),
        (products::PRICE, "products_v3 USING INDEX products_v3_2 ("),
        (products::PRICE_DESCENDING, "products_v3 USING INDEX products_v3_2 ("),
        (
            include_str!("../../src/products/get.sql"),
            "products_v3 USING INDEX sqlite_autoindex_products_v3_1 (key=?)",
        ),
        (orders::LIST, "orders_v4 USING INDEX orders_v4_0 ("),
        (orders::LIST_OF_CUSTOMER, "orders_v4 USING INDEX orders_v4_1 (customer_id=? AND"),
        (orders::LIST_OF_STATUS, "orders_v4 USING INDEX orders_v4_2 (status=? AND"),
        (orders::LIST_WITHOUT_ADDRESS, "orders_v4 USING INDEX orders_v4_5 (address_erased=? AND"),
        (orders::CANDIDATES_OF_CODE, "orders_v4 USING INDEX orders_v4_3 (code=?)"),
        (include_str!("../../src/users/get.sql"), "users_v3 USING INDEX sqlite_autoindex_users_v3_1 (key=?)"),
        (orders::GET, "order_lines_v1 USING INDEX sqlite_autoindex_order_lines_v1_1 (key>? AND key<?)"),
        (include_str!("../../src/payments/list.sql"), "payments_v5 USING INDEX payments_v5_0 ("),
        (
            include_str!("../../src/payments/get.sql"),
            "payments_v5 USING INDEX sqlite_autoindex_payments_v5_1 (key=?)",
        ),
        (
            include_str!("../../src/dead_letters/list.sql"),
            "payment_debts_v1 USING INDEX payment_debts_v1_0 (",
        ),
        (
            include_str!("../../src/order_notes/list.sql"),
            "order_notes_v1 USING INDEX order_notes_v1_0 (order_id=? AND number>?)",
        ),
        (include_str!("../../src/inventory/list.sql"), "stock_v1 USING INDEX stock_v1_0 ("),
        (
            include_str!("../../src/inventory/get.sql"),
            "stock_v1 USING INDEX sqlite_autoindex_stock_v1_1 (key=?)",
        ),
        (
            include_str!("../../src/cart/get.sql"),
            "cart_lines_v2 USING INDEX sqlite_autoindex_cart_lines_v2_1 (key>? AND key<?)",
        ),
        (include_str!("../../src/sales/list.sql"), "sales_v4 USING PRIMARY KEY (key>? AND key<?)"),
        (include_str!("../../src/sales/list.sql"), "refunds_v5 USING PRIMARY KEY (key>? AND key<?)"),
    ];
    for (sql, expected) in statements {
        let expected = with_build_numbers(expected);
        let steps = plan(&pool, sql).await;
        let searched = steps.iter().any(|step| step.starts_with("SEARCH") && step.contains(&expected));
        assert!(searched, "{expected} is not in {steps:#?}\n{sql}");
        let scanned = steps.iter().any(|step| step.starts_with("SCAN") && step.contains("_v"));
        assert!(!scanned, "{steps:#?}\n{sql}");
    }
}

#[tokio::test]
async fn statements_limit_pages_without_sorting() {
    let shop = Shop::open().await;
    let file = shop.folder.path().join(souk_sqlite_read_models::READ_MODELS_FILE);
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    for sql in [
        include_str!("../../src/payments/list.sql"),
        include_str!("../../src/dead_letters/list.sql"),
        include_str!("../../src/order_notes/list.sql"),
        include_str!("../../src/inventory/list.sql"),
    ] {
        let steps = plan(&pool, sql).await;
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
    }
    for name in ["orders", "products"] {
        let steps = match name {
            "orders" => plan(&pool, orders::LIST_OF_CUSTOMER).await,
            _ => plan(&pool, products::NAME_DESCENDING).await,
        };
        // The steps that make `page` come first, up to the step that reads it.
        let page: Vec<_> = steps
            .iter()
            .take_while(|step| !step.contains("page") || step.starts_with("MATERIALIZE"))
            .collect();
        let read = page.iter().position(|step| step.starts_with("SEARCH")).expect("a search");
        assert!(!page[..=read].iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
    }
}
