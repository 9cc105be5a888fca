//! Access to an order: other callers get the response for an unknown order, and none of its lines is read.

use serde_json::json;
use souk_domain::PaymentId;
use souk_domain::order::Draft;
use souk_domain::payment::event::Requested;
use souk_domain::payment::{Payment, PaymentEvent};
use souk_eventsourcing::Personal;
use souk_http_shop::{Call, Shop, cart_id, draft, order_id, pence};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, SqlitePool};

use crate::orders::shop_with_orders;

// Proves: common.hidden-resources
#[tokio::test]
async fn an_order_of_another_customer_is_not_found() {
    let shop = shop_with_orders().await;
    let path = format!("/api/orders/{}", order_id(1));
    shop.customer("bob", Call::get(&path)).await.refused(404, "not-found");
    shop.send(Call::get(&path)).await.refused(401, "unauthenticated");
    assert_eq!(shop.admin(Call::get(&path)).await.status, 200);
    shop.admin(Call::get("/api/orders/nonsense")).await.refused(404, "not-found");
}

#[tokio::test]
async fn lines_of_another_customers_order_are_not_read() {
    let shop = Shop::open().await;
    shop.append_order(draft(5, Some("ada"), &["A1"])).await;
    let mut guests = draft(6, None, &["A1"]);
    guests.cart = Some(cart_id(9));
    guests.email = Some(Personal::new(guests.order.guest(), "email", "ada@example.org".to_owned()));
    shop.append_order(guests).await;
    shop.project().await;
    // From here on, a request that reads a line gets 500.
    corrupt(&shop, "order_lines", "x'00'").await;
    let path = |number| format!("/api/orders/{}", order_id(number));
    for number in [5, 6] {
        shop.customer("bob", Call::get(&path(number))).await.refused(404, "not-found");
        shop.guest(cart_id(8), Call::get(&path(number))).await.refused(404, "not-found");
        assert_eq!(shop.admin(Call::get(&path(number))).await.status, 500);
    }
    assert_eq!(shop.customer("ada", Call::get(&path(5))).await.status, 500);
    assert_eq!(shop.guest(cart_id(9), Call::get(&path(6))).await.status, 500);
    for (email, status) in [("bob@example.org", 404), ("ada@example.org", 500)] {
        let lookup = Call::post("/api/orders/lookup", &json!({"code": "SK-0006", "email": email}));
        assert_eq!(shop.send(lookup).await.status, status, "{email}");
    }
}

/// Replaces the document of every row of a read model. The new document is an SQL expression.
async fn corrupt(shop: &Shop, model: &str, document: &str) {
    let file = shop.read_models_file();
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file)).await.unwrap();
    let table_name = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE $1";
    let table_name = sqlx::query_scalar(table_name).bind(format!("{model}_v%"));
    let table: String = table_name.fetch_one(&pool).await.unwrap();
    let corrupt = AssertSqlSafe(format!("UPDATE {table} SET doc = {document}"));
    assert_eq!(sqlx::query(corrupt).execute(&pool).await.unwrap().rows_affected(), 2);
}

// Proves: common.hidden-resources
#[tokio::test]
async fn an_unreadable_order_is_not_found_by_strangers() {
    let shop = Shop::open().await;
    let mut guests = draft(6, None, &["A1"]);
    guests.cart = Some(cart_id(9));
    guests.email = Some(Personal::new(guests.order.guest(), "email", "ada@example.org".to_owned()));
    for order in [draft(5, Some("ada"), &["A1"]), guests] {
        let id = order.order;
        shop.append_order(order).await;
        let requested = Requested { order: id, amount: pence(100), token: "tok_ok".into(), attempt: 1 };
        shop.append(&Payment::stream(PaymentId::of(id)), PaymentEvent::from(requested)).await;
    }
    shop.project().await;
    // A document of an unknown version still names its owner. Other texts are not even JSON.
    let of_unknown_version = "CAST(json_remove(CAST(doc AS TEXT), '$.total') AS BLOB)";
    for (document, guest_status) in [(of_unknown_version, 500), ("x'00'", 404)] {
        corrupt(&shop, "orders", document).await;
        for number in [5, 6] {
            let path = format!("/api/orders/{}", order_id(number));
            shop.customer("bob", Call::get(&path)).await.refused(404, "not-found");
            shop.guest(cart_id(8), Call::get(&path)).await.refused(404, "not-found");
            assert_eq!(shop.admin(Call::get(&path)).await.status, 500);
            let path = format!("/api/payments/{}", PaymentId::of(order_id(number)));
            shop.customer("bob", Call::get(&path)).await.refused(404, "not-found");
            shop.guest(cart_id(8), Call::get(&path)).await.refused(404, "not-found");
            assert_eq!(shop.admin(Call::get(&path)).await.status, 200);
        }
        let path = |number| format!("/api/orders/{}", order_id(number));
        assert_eq!(shop.customer("ada", Call::get(&path(5))).await.status, 500);
        assert_eq!(shop.guest(cart_id(9), Call::get(&path(6))).await.status, guest_status);
        for (email, status) in [("bob@example.org", 404), ("ada@example.org", guest_status)] {
            let lookup = Call::post("/api/orders/lookup", &json!({"code": "SK-0006", "email": email}));
            assert_eq!(shop.send(lookup).await.status, status, "{email}");
        }
    }
}

#[tokio::test]
async fn a_guest_sees_orders_placed_from_their_cart() {
    let shop = Shop::open().await;
    shop.append_order(Draft { cart: Some(cart_id(9)), ..draft(5, None, &["A1"]) }).await;
    shop.append_order(Draft { cart: Some(cart_id(9)), ..draft(6, Some("ada"), &["A1"]) }).await;
    shop.append_order(draft(7, None, &["A1"])).await;
    shop.project().await;
    let status = async |number, cart| {
        shop.guest(cart_id(cart), Call::get(&format!("/api/orders/{}", order_id(number)))).await.status
    };
    assert_eq!((status(5, 9).await, status(5, 8).await), (200, 404));
    assert_eq!((status(6, 9).await, status(7, 9).await), (404, 404));
    assert_eq!(shop.send(Call::get(&format!("/api/orders/{}", order_id(7)))).await.status, 401);
}
