//! Tests of `/api/payments/…`.

use serde_json::json;
use souk_domain::payment::event::{
    Authorized, Captured, DebtSettled, RefundFailed, RefundRequested, Requested,
};
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::{DebtId, PaymentId, RefundId};
use souk_http::Role;
use souk_http_shop::{Call, Shop, draft, fields, order_id, pence};
use uuid::Uuid;

fn payment(number: u128) -> PaymentId {
    PaymentId::of(order_id(number))
}

async fn request_payment(shop: &Shop, number: u128) {
    let requested =
        Requested { order: order_id(number), amount: pence(100), token: "tok_ok".into(), attempt: 1 };
    shop.append(&Payment::stream(payment(number)), PaymentEvent::from(requested)).await;
}

/// A shop in which Ada's order 5 is paid and has a pending refund.
async fn shop_with_paid_order() -> Shop {
    let shop = Shop::open().await;
    shop.append_order(draft(5, Some("ada"), &["A1"])).await;
    request_payment(&shop, 5).await;
    let stream = Payment::stream(payment(5));
    let order = order_id(5);
    let provider_payment_id = "pay_1".to_owned();
    let authorized = Authorized {
        order,
        provider_payment_id: provider_payment_id.clone(),
        amount: pence(100),
        attempts: 2,
    };
    shop.append(&stream, PaymentEvent::from(authorized)).await;
    shop.append(&stream, PaymentEvent::from(Captured { order, amount: pence(100) })).await;
    let refund = RefundId(Uuid::from_u128(7));
    let refund_requested = RefundRequested {
        order,
        refund,
        provider_payment_id,
        amount: pence(40),
        reason: "broken".into(),
        attempt: 1,
        retries: None,
        requested_at: None,
    };
    shop.append(&stream, PaymentEvent::from(refund_requested)).await;
    shop.project().await;
    shop
}

// Proves: payments.payment-reads
#[tokio::test]
async fn a_payment_is_shown_with_its_refunds() {
    let shop = shop_with_paid_order().await;
    let response = shop.customer("ada", Call::get(&format!("/api/payments/{}", payment(5)))).await;
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    let refund = json!({"id": Uuid::from_u128(7).to_string(), "amount": money(40), "reason": "broken", "status": "PENDING"});
    let expected = json!({
        "id": payment(5).to_string(), "orderId": order_id(5).to_string(), "amount": money(100),
        "status": "CAPTURED", "providerPaymentId": "pay_1", "attempts": 2, "refunds": [refund], "owed": null,
        "revision": 3, "position": "5",
    });
    assert_eq!(response.body, expected);
    assert_eq!(response.headers["etag"], "\"3\"");
}

#[tokio::test]
async fn a_failed_refund_is_a_dead_letter_and_shown_as_owed() {
    let shop = shop_with_paid_order().await;
    let order_path = format!("/api/orders/{}", order_id(5));
    let payment_path = format!("/api/payments/{}", payment(5));
    let letters = "/api/payments/provider/dead-letters";
    let none = shop.admin(Call::get(letters)).await.body;
    assert_eq!(none["items"], json!([]), "a pending refund is not a dead letter");
    let refund = RefundId(Uuid::from_u128(7));
    let code = "refund-declined".to_owned();
    let detail = "the account is closed".to_owned();
    let failed = RefundFailed { order: order_id(5), refund, code, detail };
    shop.append(&Payment::stream(payment(5)), PaymentEvent::from(failed)).await;
    shop.project().await;
    let owed = json!({"amount": 40, "currency": "GBP"});
    let item = shop.admin(Call::get(letters)).await.body["items"][0].clone();
    let failed_at = item["failedAt"].clone();
    let expected = json!({
        "id": refund.to_string(), "kind": "refund", "paymentId": payment(5).to_string(),
        "orderId": order_id(5).to_string(), "amount": owed, "attempts": 1, "code": "refund-declined",
        "detail": "the account is closed", "failedAt": failed_at,
    });
    assert_eq!(item, expected);
    let shown = shop.customer("ada", Call::get(&payment_path)).await.body;
    assert_eq!(shown["owed"], owed);
    let shown = shop.customer("ada", Call::get(&order_path)).await.body;
    assert_eq!(shown["payment"]["owed"], owed);
    let settled = DebtSettled {
        order: order_id(5),
        debt: DebtId(refund.0),
        reason: "paid back by bank transfer".into(),
    };
    shop.append(&Payment::stream(payment(5)), PaymentEvent::from(settled)).await;
    shop.project().await;
    assert_eq!(shop.admin(Call::get(letters)).await.body["items"], json!([]));
    let shown = shop.customer("ada", Call::get(&order_path)).await.body;
    assert_eq!(shown["payment"]["owed"], json!(null));
}

// Proves: common.hidden-resources
// Proves: payments.payment-reads
#[tokio::test]
async fn a_payment_of_another_customer_is_not_found() {
    let shop = shop_with_paid_order().await;
    let path = format!("/api/payments/{}", payment(5));
    shop.customer("bob", Call::get(&path)).await.refused(404, "not-found");
    shop.send(Call::get(&path)).await.refused(401, "unauthenticated");
    assert_eq!(shop.admin(Call::get(&path)).await.status, 200);
    shop.admin(Call::get("/api/payments/nonsense")).await.refused(404, "not-found");
}

// Proves: payments.payment-reads
#[tokio::test]
async fn admins_page_through_all_payments() {
    let shop = shop_with_paid_order().await;
    for number in 10..17 {
        request_payment(&shop, number).await;
    }
    shop.project().await;
    let pages = fields(&shop.pages("/api/payments", Role::Admin).await, "id");
    let mut expected: Vec<String> = (10..17).chain([5]).map(|number| payment(number).to_string()).collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(pages, expected);
    shop.customer("ada", Call::get("/api/payments")).await.refused(403, "forbidden");
}
