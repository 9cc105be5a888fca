//! Tests of `GET /api/orders`.

use souk_domain::order::Draft;
use souk_http::Role;
use souk_http_shop::{Call, Shop, draft, fields, later, order_id};

use crate::orders::shop_with_orders;

fn ids(numbers: &[u128]) -> Vec<String> {
    numbers.iter().map(|number| order_id(*number).to_string()).collect()
}

async fn listed(shop: &Shop, query: &str, role: Role, subject: &str) -> Vec<String> {
    shop.with_role(role, subject, Call::get(&format!("/api/orders?{query}"))).await.items("id")
}

// Proves: orders.order-lists
#[tokio::test]
async fn customers_list_their_own_orders_newest_first() {
    let shop = shop_with_orders().await;
    assert_eq!(listed(&shop, "", Role::Customer, "ada").await, ids(&[7, 5, 3, 1]));
    assert_eq!(listed(&shop, "status=PAYMENT_PENDING", Role::Customer, "ada").await, ids(&[3]));
    assert_eq!(listed(&shop, "customerId=ada", Role::Customer, "ada").await, ids(&[7, 5, 3, 1]));
    shop.customer("ada", Call::get("/api/orders?customerId=bob")).await.refused(403, "forbidden");
    shop.send(Call::get("/api/orders")).await.refused(401, "unauthenticated");
}

// Proves: orders.order-lists
#[tokio::test]
async fn admins_filter_all_orders() {
    let shop = shop_with_orders().await;
    let admin = async |query| listed(&shop, query, Role::Admin, "ops").await;
    assert_eq!(admin("").await, ids(&[8, 7, 6, 5, 4, 3, 2, 1]));
    assert_eq!(admin("customerId=bob").await, ids(&[8, 6, 4, 2]));
    assert_eq!(admin("status=PAYMENT_PENDING").await, ids(&[3, 2]));
    assert_eq!(admin("status=PAYMENT_PENDING&customerId=bob").await, ids(&[2]));
    assert_eq!(admin("from=2026-11-21T12:03:00Z&to=2026-11-21T12:05:00Z").await, ids(&[5, 4, 3]));
    assert_eq!(admin("from=2026-11-21&to=2026-11-21").await.len(), 8);
    assert_eq!(admin("to=2026-11-20").await, ids(&[]));
    assert_eq!(admin("from=2026-11-22").await, ids(&[]));
}

#[tokio::test]
async fn pages_have_every_order_once_with_all_its_lines() {
    let shop = shop_with_orders().await;
    for path in [
        "/api/orders",
        "/api/orders?status=PLACED",
        "/api/orders?customerId=ada",
        "/api/orders?to=2026-11-21",
    ] {
        let pages = shop.pages(path, Role::Admin).await;
        let join = if path.contains('?') { "&" } else { "?" };
        let whole = shop.admin(Call::get(&format!("{path}{join}limit=100"))).await;
        assert_eq!(fields(&pages, "id"), whole.items("id"), "{path}");
        assert!(pages.iter().all(|order| order["lines"].as_array().unwrap().len() == 2));
    }
}

// Proves: common.stable-paging
#[tokio::test]
async fn an_order_placed_during_paging_does_not_shift_or_repeat_other_orders() {
    let shop = shop_with_orders().await;
    let first = shop.admin(Call::get("/api/orders?limit=3")).await;
    shop.append_order(Draft { placed_at: later(9), ..draft(9, Some("ada"), &["A1"]) }).await;
    shop.project().await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = shop.admin(Call::get(&format!("/api/orders?limit=3&cursor={cursor}"))).await;
    assert_eq!((first.items("id"), second.items("id")), (ids(&[8, 7, 6]), ids(&[5, 4, 3])));
}

#[tokio::test]
async fn invalid_parameters_are_rejected() {
    let shop = shop_with_orders().await;
    for query in [
        "status=DONE",
        "from=yesterday",
        "to=x",
        "from=2026-11-22&to=2026-11-21",
        "limit=0",
        "cursor=x",
        "colour=red",
        "customerId=",
    ] {
        let response = shop.admin(Call::get(&format!("/api/orders?{query}"))).await;
        response.refused(400, "invalid-parameter");
    }
}
