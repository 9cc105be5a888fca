//! Tests of `GET /api/orders/admin/sales`.

use serde_json::{Value, json};
use souk_domain::order::event::{Cancelled, Confirmed, Reason, ReasonCode};
use souk_domain::order::{Draft, Order, OrderEvent};
use souk_domain::payment::event::{Captured, RefundRequested, Refunded, Requested};
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::{Currency, Money, PaymentId, RefundId};
use souk_http_shop::{Call, Shop, draft, later, order_id};
use uuid::Uuid;

const MINUTES_PER_DAY: i64 = 24 * 60;

/// A shop with five orders, confirmed on three days. One order is in euros, and one was cancelled later.
async fn shop_with_sales() -> Shop {
    let shop = Shop::open().await;
    for (number, day) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)] {
        let one = draft(number, Some("ada"), &["A1", "B2"]);
        let currency = if number == 5 { Currency::EUR } else { Currency::GBP };
        shop.append_order(Draft { total: Money::new(200, currency), ..one }).await;
        let confirmed = OrderEvent::from(Confirmed { paid_outside: false });
        shop.append_at(&Order::stream(order_id(number)), confirmed, later(day * MINUTES_PER_DAY)).await;
    }
    shop.project().await;
    let reason = Reason { code: ReasonCode::CancelledByShop, detail: "".into() };
    let cancelled = Cancelled { reason, failed_skus: Vec::new(), reversal: None };
    shop.append_at(&Order::stream(order_id(3)), OrderEvent::from(cancelled), later(2 * MINUTES_PER_DAY))
        .await;
    shop.project().await;
    shop
}

async fn report(shop: &Shop, query: &str) -> Value {
    shop.admin(Call::get(&format!("/api/orders/admin/sales{query}"))).await.body
}

fn sales(day: &str, orders: i64, currency: &str) -> Value {
    let revenue = json!({"amount": orders * 200, "currency": currency});
    json!({"day": day, "orders": orders, "units": orders * 2, "revenue": revenue})
}

// Proves: reports.sales-by-day
#[tokio::test]
async fn the_report_counts_uncancelled_orders_by_utc_day_of_confirmation() {
    let shop = shop_with_sales().await;
    let expected = json!({
        "days": [sales("2026-11-21", 2, "GBP"), sales("2026-11-23", 1, "GBP")],
        "total": {"orders": 3, "units": 6, "revenue": {"amount": 600, "currency": "GBP"}},
        "position": "11",
    });
    assert_eq!(report(&shop, "").await, expected);
}

// Proves: reports.refunds-lower-revenue
#[tokio::test]
async fn a_refund_lowers_the_revenue_of_the_day_of_the_refund() {
    let shop = shop_with_sales().await;
    let stream = Payment::stream(PaymentId::of(order_id(1)));
    let amount = Money::new(200, Currency::GBP);
    let refund = RefundId(Uuid::from_u128(7));
    let provider_payment_id = "pay_1".to_owned();
    let reason = "the goods were returned".to_owned();
    let token = "tok_ok".to_owned();
    let events: [PaymentEvent; 4] = [
        Requested { order: order_id(1), amount, token: token.into(), attempt: 1 }.into(),
        Captured { order: order_id(1), amount }.into(),
        RefundRequested {
            order: order_id(1),
            refund,
            provider_payment_id,
            amount,
            reason,
            attempt: 1,
            retries: None,
            requested_at: None,
        }
        .into(),
        Refunded { order: order_id(1), refund, amount, provider_refund_id: "re_1".to_owned() }.into(),
    ];
    for event in events {
        shop.append_at(&stream, event, later(3 * MINUTES_PER_DAY)).await;
    }
    shop.project().await;
    let day_of_refund =
        json!({"day": "2026-11-24", "orders": 0, "units": 0, "revenue": {"amount": -200, "currency": "GBP"}});
    let days = json!([sales("2026-11-21", 2, "GBP"), sales("2026-11-23", 1, "GBP"), day_of_refund]);
    let response = report(&shop, "").await;
    assert_eq!(response["days"], days);
    let total = json!({"orders": 3, "units": 6, "revenue": {"amount": 400, "currency": "GBP"}});
    assert_eq!(response["total"], total);
    assert_eq!(report(&shop, "?from=2026-11-24").await["days"], json!([day_of_refund]));
}

// Proves: reports.sales-range
#[tokio::test]
async fn both_ends_of_the_range_are_included() {
    let shop = shop_with_sales().await;
    let days = async |query| report(&shop, query).await["days"].clone();
    assert_eq!(days("?from=2026-11-21&to=2026-11-21").await, json!([sales("2026-11-21", 2, "GBP")]));
    assert_eq!(days("?from=2026-11-22").await, json!([sales("2026-11-23", 1, "GBP")]));
    assert_eq!(days("?to=2026-11-20").await, json!([]));
}

// Proves: reports.sales-range
#[tokio::test]
async fn a_report_has_one_currency() {
    let shop = shop_with_sales().await;
    assert_eq!(report(&shop, "?currency=EUR").await["days"], json!([sales("2026-11-23", 1, "EUR")]));
    let nothing = json!({"orders": 0, "units": 0, "revenue": {"amount": 0, "currency": "JPY"}});
    assert_eq!(report(&shop, "?currency=JPY").await["total"], nothing);
}

// Proves: reports.sales-readers
#[tokio::test]
async fn only_admins_can_read_the_report_and_invalid_parameters_are_rejected() {
    let shop = shop_with_sales().await;
    let path = "/api/orders/admin/sales";
    shop.customer("ada", Call::get(path)).await.refused(403, "forbidden");
    shop.send(Call::get(path)).await.refused(401, "unauthenticated");
    for query in ["from=2026-13-01", "to=x", "currency=POUND", "day=2026-11-21"] {
        let response = shop.admin(Call::get(&format!("{path}?{query}"))).await;
        response.refused(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn a_range_that_ends_before_it_starts_is_rejected() {
    let shop = shop_with_sales().await;
    let get = |query: &str| {
        let path = format!("/api/orders/admin/sales?{query}");
        shop.admin(Call::get(&path))
    };
    get("from=2026-11-22&to=2026-11-21").await.refused(400, "invalid-parameter");
    assert_eq!(get("from=2026-11-21&to=2026-11-21").await.status, 200);
}
