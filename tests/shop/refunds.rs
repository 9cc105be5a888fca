//! Refunds that the provider refuses, from the refusal to the end.

use serde_json::{Value, json};

use crate::process::Shop;
use crate::{order_of, stocked};

const LETTERS: &str = "/api/payments/provider/dead-letters";

/// Orders four lamps for ten pounds, and returns the order's and the payment's id.
async fn bought(shop: &Shop, token: &str) -> (String, String) {
    stocked(shop, "LAMP", 10).await;
    let (status, order) = shop.post("/api/orders", &order_of("LAMP", 4, token)).await;
    assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
    let order = order["id"].as_str().unwrap().to_owned();
    let payment =
        shop.get(&format!("/api/orders/{order}")).await.1["payment"]["id"].as_str().unwrap().to_owned();
    (order, payment)
}

fn pounds(amount: i64) -> Value {
    json!({ "amount": amount * 100, "currency": "GBP" })
}

async fn letters(shop: &Shop, number: usize) -> Vec<Value> {
    shop.until(LETTERS, |list| list["items"].as_array().is_some_and(|items| items.len() == number)).await;
    shop.get(LETTERS).await.1["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_the_provider_refused_to_give_back_is_owed_until_it_is_given() {
    let shop = Shop::start(&[]).await;
    let (order, payment) = bought(&shop, "tok_refund_declined_1").await;
    let refund = json!({ "amount": pounds(5), "reason": "scratched" });
    assert_eq!(shop.post(&format!("/api/payments/{payment}/refunds"), &refund).await.0, 201);
    assert_eq!(letters(&shop, 1).await[0]["amount"], pounds(5));
    // The shop cancels: half of the money was refused before, the other half is refused now.
    assert_eq!(
        shop.post(&format!("/api/orders/{order}/cancel"), &json!({ "reason": "broken" })).await.0,
        200
    );
    let refused = letters(&shop, 2).await;
    let path = format!("/api/orders/{order}");
    shop.until(&path, |order| order["payment"]["owed"] == pounds(10)).await;
    assert_eq!(shop.get(&path).await.1["status"], "CANCELLED");
    for letter in &refused {
        let path = format!("{LETTERS}/{}/requeue", letter["id"].as_str().unwrap());
        let bearer = shop.bearer();
        assert_eq!(shop.send("POST", &path, &Value::Null, &[("authorization", &bearer)]).await.0, 200);
    }
    letters(&shop, 0).await;
    shop.until(&path, |order| order["payment"]["status"] == "REFUNDED").await;
    assert_eq!(shop.get(&path).await.1["payment"]["owed"], Value::Null);
    let metrics = reqwest::get(format!("{}/metrics", shop.address())).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("souk_payment_provider_dlq_total 2"), "{metrics}");
    assert!(metrics.contains("souk_payment_debts 0"), "{metrics}");
}
