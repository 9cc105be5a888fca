use serde_json::json;
use souk_domain::payment::event::{
    Authorized, Captured, DebtSettled, RefundFailed, RefundRequested, Requested,
};
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::{DebtId, PaymentId, RefundId};
use souk_http::Role;
use uuid::Uuid;

use crate::shop::{Shop, draft, fields, order, pounds};

fn payment(number: u128) -> PaymentId {
    PaymentId::of(order(number))
}

async fn request_payment(shop: &mut Shop, number: u128) {
    let requested =
        Requested { order: order(number), amount: pounds(100), token: "tok_ok".into(), attempt: 1 };
    shop.append_event(&Payment::stream(payment(number)), PaymentEvent::from(requested)).await;
}

/// A shop in which Ada's order 5 is paid and has a pending refund.
async fn shop_with_paid_order() -> Shop {
    let mut shop = Shop::open().await;
    shop.place_order(draft(5, Some("ada"), &["A1"])).await;
    request_payment(&mut shop, 5).await;
    let stream = Payment::stream(payment(5));
    let order = order(5);
    let provider_payment_id = "pay_1".to_owned();
    let authorized = Authorized {
        order,
        provider_payment_id: provider_payment_id.clone(),
        amount: pounds(100),
        attempts: 2,
    };
    shop.append_event(&stream, PaymentEvent::from(authorized)).await;
    shop.append_event(&stream, PaymentEvent::from(Captured { order, amount: pounds(100) })).await;
    let refund = RefundId(Uuid::from_u128(7));
    let refund_requested = RefundRequested {
        order,
        refund,
        provider_payment_id,
        amount: pounds(40),
        reason: "broken".into(),
        attempt: 1,
        retries: None,
        requested_at: None,
    };
    shop.append_event(&stream, PaymentEvent::from(refund_requested)).await;
    shop.project().await;
    shop
}

#[tokio::test]
async fn a_payment_is_shown_with_its_refunds() {
    let shop = shop_with_paid_order().await;
    let response =
        shop.get(&format!("/api/payments/{}", payment(5))).token(Role::Customer, "ada").send().await;
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    let refund = json!({"id": Uuid::from_u128(7).to_string(), "amount": money(40), "reason": "broken", "status": "PENDING"});
    let expected = json!({
        "id": payment(5).to_string(), "orderId": order(5).to_string(), "amount": money(100),
        "status": "CAPTURED", "providerPaymentId": "pay_1", "attempts": 2, "refunds": [refund], "owed": null,
        "revision": 3, "position": "5",
    });
    assert_eq!(response.json, expected);
    assert_eq!(response.headers["etag"], "\"3\"");
}

#[tokio::test]
async fn a_failed_refund_is_a_dead_letter_and_shown_as_owed() {
    let mut shop = shop_with_paid_order().await;
    let order_path = format!("/api/orders/{}", order(5));
    let payment_path = format!("/api/payments/{}", payment(5));
    let letters = "/api/payments/provider/dead-letters";
    let none = shop.get(letters).token(Role::Admin, "ops").send().await.json;
    assert_eq!(none["items"], json!([]), "a pending refund is not a dead letter");
    let refund = RefundId(Uuid::from_u128(7));
    let code = "refund-declined".to_owned();
    let detail = "the account is closed".to_owned();
    let failed = RefundFailed { order: order(5), refund, code, detail };
    shop.append_event(&Payment::stream(payment(5)), PaymentEvent::from(failed)).await;
    shop.project().await;
    let owed = json!({"amount": 40, "currency": "GBP"});
    let item = shop.get(letters).token(Role::Admin, "ops").send().await.json["items"][0].clone();
    let failed_at = item["failedAt"].clone();
    let expected = json!({
        "id": refund.to_string(), "kind": "refund", "paymentId": payment(5).to_string(),
        "orderId": order(5).to_string(), "amount": owed, "attempts": 1, "code": "refund-declined",
        "detail": "the account is closed", "failedAt": failed_at,
    });
    assert_eq!(item, expected);
    let shown = shop.get(&payment_path).token(Role::Customer, "ada").send().await.json;
    assert_eq!(shown["owed"], owed);
    let shown = shop.get(&order_path).token(Role::Customer, "ada").send().await.json;
    assert_eq!(shown["payment"]["owed"], owed);
    let settled =
        DebtSettled { order: order(5), debt: DebtId(refund.0), reason: "paid back by bank transfer".into() };
    shop.append_event(&Payment::stream(payment(5)), PaymentEvent::from(settled)).await;
    shop.project().await;
    assert_eq!(shop.get(letters).token(Role::Admin, "ops").send().await.json["items"], json!([]));
    let shown = shop.get(&order_path).token(Role::Customer, "ada").send().await.json;
    assert_eq!(shown["payment"]["owed"], json!(null));
}

#[tokio::test]
async fn a_payment_of_another_customer_is_not_found() {
    let shop = shop_with_paid_order().await;
    let path = format!("/api/payments/{}", payment(5));
    shop.get(&path).token(Role::Customer, "bob").send().await.assert_problem(404, "not-found");
    shop.get(&path).send().await.assert_problem(401, "unauthenticated");
    assert_eq!(shop.get(&path).token(Role::Admin, "ops").send().await.status, 200);
    shop.get("/api/payments/nonsense")
        .token(Role::Admin, "ops")
        .send()
        .await
        .assert_problem(404, "not-found");
}

#[tokio::test]
async fn admins_page_through_all_payments() {
    let mut shop = shop_with_paid_order().await;
    for number in 10..17 {
        request_payment(&mut shop, number).await;
    }
    shop.project().await;
    let pages = fields(&shop.pages("/api/payments", Role::Admin).await, "id");
    let mut expected: Vec<String> = (10..17).chain([5]).map(|number| payment(number).to_string()).collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(pages, expected);
    shop.get("/api/payments").token(Role::Customer, "ada").send().await.assert_problem(403, "forbidden");
}
