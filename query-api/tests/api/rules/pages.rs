//! Tests that pages of all lists have a maximum of bytes and lines, and that the cursor continues after the
//! last item.

use souk_domain::order::event::{Charge, Draft};
use souk_domain::payment::event::{RefundFailed, RefundRequested, Requested};
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::product::event::Created;
use souk_domain::product::{Content, Product, ProductEvent};
use souk_domain::{PaymentId, RefundId};
use souk_eventsourcing::testkit::noon;
use souk_http_shop::{Call, Shop, content, draft, fields, later, order_id, pence, product_id};
use uuid::Uuid;

/// More than half of the maximum bytes of a page.
const LARGE_BYTES: usize = 600 * 1024;

/// Reads a list with the largest limit, and returns the ids on each page.
async fn pages(shop: &Shop, path: &str, id: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let page = shop.admin(Call::get(&format!("{path}{join}limit=100{cursor}"))).await;
        assert_eq!(page.status, 200, "{path}: {:?}", page.body);
        pages.push(page.items(id));
        let Some(next) = page.body["nextCursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

fn skus(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("S{number}")).collect()
}

/// A shop with orders that have these numbers of lines, placed a minute apart.
async fn shop_with_orders_of(lines: &[usize]) -> Shop {
    let shop = Shop::open().await;
    for (number, lines) in (1..).zip(lines) {
        let skus = skus(*lines);
        let texts: Vec<&str> = skus.iter().map(String::as_str).collect();
        let placed_at = later(i64::try_from(number).unwrap());
        shop.append_order(Draft { placed_at, ..draft(number, Some("ada"), &texts) }).await;
    }
    shop.project().await;
    shop
}

fn orders(numbers: &[u128]) -> Vec<String> {
    numbers.iter().map(|number| order_id(*number).to_string()).collect()
}

#[tokio::test]
async fn a_page_of_orders_has_a_maximum_of_lines() {
    let shop = shop_with_orders_of(&[700, 2_100, 900, 900, 300, 800, 1]).await;
    let expected = [orders(&[7, 6, 5]), orders(&[4, 3]), orders(&[2]), orders(&[1])];
    for path in ["/api/orders", "/api/orders?customerId=ada", "/api/orders?status=PLACED"] {
        assert_eq!(pages(&shop, path, "id").await, expected, "{path}");
    }
    let own = shop.customer("ada", Call::get("/api/orders?limit=100")).await;
    let counts: Vec<usize> = own.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["lines"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [1, 800, 300], "an order on the page does not have all its lines");
}

// Proves: common.page-limits
#[tokio::test]
async fn a_page_of_orders_has_a_maximum_of_bytes() {
    let shop = Shop::open().await;
    for (number, bytes) in [(1, 10), (2, LARGE_BYTES), (3, LARGE_BYTES), (4, 10)] {
        let charge = Charge { kind: "shipping".into(), label: "x".repeat(bytes), amount: pence(1) };
        let placed_at = later(i64::try_from(number).unwrap());
        shop.append_order(Draft { charges: vec![charge], placed_at, ..draft(number, Some("ada"), &["A1"]) })
            .await;
    }
    shop.project().await;
    let expected = [orders(&[4, 3]), orders(&[2, 1])];
    assert_eq!(pages(&shop, "/api/orders", "id").await, expected);
}

// Proves: common.page-limits
#[tokio::test]
async fn a_page_of_products_has_a_maximum_of_bytes() {
    let shop = Shop::open().await;
    for (number, bytes) in [(1, 10), (2, LARGE_BYTES), (3, LARGE_BYTES), (4, 10)] {
        let name = format!("Lamp {number}");
        let sku = format!("S{number}");
        let price = i64::try_from(number).unwrap();
        let content = Content { description: "x".repeat(bytes), ..content(&name, "home", &[(&sku, price)]) };
        let stream = Product::stream(product_id(number));
        shop.append_at(&stream, ProductEvent::from(Created { content }), later(price)).await;
    }
    shop.project().await;
    let products = |numbers: &[u128]| -> Vec<String> {
        numbers.iter().map(|number| product_id(*number).to_string()).collect()
    };
    let upwards = [products(&[1, 2]), products(&[3, 4])];
    let downwards = [products(&[4, 3]), products(&[2, 1])];
    for (sort, expected) in [
        ("newest", &downwards),
        ("-name", &downwards),
        ("-price", &downwards),
        ("name", &upwards),
        ("price", &upwards),
    ] {
        let path = format!("/api/products?sort={sort}");
        assert_eq!(pages(&shop, &path, "id").await, *expected, "{sort}");
    }
}

/// A shop with four payments. Each has a refund that the provider refused with a message of this many bytes.
async fn shop_with_refused_refunds(bytes: usize) -> Shop {
    let shop = Shop::open().await;
    for number in 1..=4 {
        let order = order_id(number);
        let refund = RefundId(Uuid::from_u128(number));
        let stream = Payment::stream(PaymentId::of(order));
        let requested = Requested { order, amount: pence(100), token: "tok_ok".into(), attempt: 1 };
        let refund_requested = RefundRequested {
            order,
            refund,
            provider_payment_id: "pay_1".into(),
            amount: pence(40),
            reason: "x".repeat(bytes),
            attempt: 1,
            retries: None,
            requested_at: None,
        };
        let failed =
            RefundFailed { order, refund, code: "refund-declined".into(), detail: "x".repeat(bytes) };
        shop.append_at(&stream, PaymentEvent::from(requested), noon()).await;
        shop.append_at(&stream, PaymentEvent::from(refund_requested), noon()).await;
        shop.append_at(&stream, PaymentEvent::from(failed), noon()).await;
    }
    shop.project().await;
    shop
}

#[tokio::test]
async fn pages_of_payments_and_dead_letters_have_a_maximum_of_bytes() {
    let shop = shop_with_refused_refunds(LARGE_BYTES).await;
    for path in ["/api/payments", "/api/payments/provider/dead-letters"] {
        let counts: Vec<usize> = pages(&shop, path, "id").await.iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 1, 1, 1], "{path}");
    }
    let shop = shop_with_refused_refunds(10).await;
    for path in ["/api/payments", "/api/payments/provider/dead-letters"] {
        assert_eq!(pages(&shop, path, "id").await.len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_tree_of_events_has_a_maximum_of_bytes() {
    let shop = Shop::open().await;
    for number in 1..=10 {
        let content =
            Content { description: "x".repeat(LARGE_BYTES), ..content("Lamp", "home", &[("S1", 1)]) };
        let stream = Product::stream(product_id(number));
        shop.append_in_request("import-1", &stream, ProductEvent::from(Created { content })).await;
    }
    let tree = shop.admin(Call::get("/api/admin/correlations/import-1")).await;
    let shown = tree.body["items"].as_array().unwrap().len();
    assert_eq!(
        (&tree.body["isWhole"], shown),
        (&serde_json::json!(false), 6),
        "4 MiB have room for six events"
    );
    assert_eq!(fields(tree.body["items"].as_array().unwrap(), "parked").len(), shown);
}
