//! Refunds that the provider refuses, until a retry succeeds.

use serde_json::{Value, json};

use crate::process::Shop;
use crate::{add_stock, order_request};

const DEAD_LETTERS: &str = "/api/payments/provider/dead-letters";

/// Orders four lamps for ten pounds. Returns the ids of the order and of the payment.
async fn place_order(shop: &Shop, token: &str) -> (String, String) {
    add_stock(shop, "LAMP", 10).await;
    let (status, order) = shop.post("/api/orders", &order_request("LAMP", 4, token)).await;
    assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
    let order = order["id"].as_str().unwrap().to_owned();
    let payment =
        shop.get(&format!("/api/orders/{order}")).await.1["payment"]["id"].as_str().unwrap().to_owned();
    (order, payment)
}

fn pounds(amount: i64) -> Value {
    json!({ "amount": amount * 100, "currency": "GBP" })
}

/// Waits until there are `number` dead letters, and returns them.
async fn dead_letters(shop: &Shop, number: usize) -> Vec<Value> {
    shop.wait_until(DEAD_LETTERS, |list| list["items"].as_array().is_some_and(|items| items.len() == number))
        .await;
    shop.get(DEAD_LETTERS).await.1["items"].as_array().unwrap().clone()
}

// Proves: payments.refused-refund-is-a-debt
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refund_is_owed_until_a_retry_succeeds() {
    let shop = Shop::start(&[]).await;
    let (order, payment) = place_order(&shop, "tok_refund_declined_1").await;
    let refund = json!({ "amount": pounds(5), "reason": "scratched" });
    assert_eq!(shop.post(&format!("/api/payments/{payment}/refunds"), &refund).await.0, 201);
    assert_eq!(dead_letters(&shop, 1).await[0]["amount"], pounds(5));
    // After the cancellation, the refund of the other half is refused too.
    assert_eq!(
        shop.post(&format!("/api/orders/{order}/cancel"), &json!({ "reason": "broken" })).await.0,
        200
    );
    let refused = dead_letters(&shop, 2).await;
    let path = format!("/api/orders/{order}");
    shop.wait_until(&path, |order| order["payment"]["owed"] == pounds(10)).await;
    assert_eq!(shop.get(&path).await.1["status"], "CANCELLED");
    for letter in &refused {
        let path = format!("{DEAD_LETTERS}/{}/requeue", letter["id"].as_str().unwrap());
        let bearer = shop.bearer();
        assert_eq!(shop.send("POST", &path, &Value::Null, &[("authorization", &bearer)]).await.0, 200);
    }
    dead_letters(&shop, 0).await;
    shop.wait_until(&path, |order| order["payment"]["status"] == "REFUNDED").await;
    assert_eq!(shop.get(&path).await.1["payment"]["owed"], Value::Null);
    let metrics = reqwest::get(format!("{}/metrics", shop.address())).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("souk_payment_provider_dlq_total 2"), "{metrics}");
    assert!(metrics.contains("souk_payment_debts 0"), "{metrics}");
}
