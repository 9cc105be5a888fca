//! Audit of a running shop: compares its orders, stock and payments with the acknowledged writes and with
//! each other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::load::{Load, OrderRecord};
use crate::shop::{Call, ShopClient};

/// Seconds within which all orders and payments must be settled.
const SETTLED_SECONDS_MAX: u64 = 90;

/// Order as the shop lists it.
struct Order {
    id: String,
    status: String,
    total: i64,
    units: BTreeMap<String, i64>,
    payment: Option<String>,
}

/// Compares the orders, stock and payments of a running shop with the records of the buyers.
pub(super) async fn audit(client: &ShopClient, load: &Load) -> Result<Vec<String>> {
    let orders = wait_until_settled(client).await?;
    let mut findings = Vec::new();
    check_orders(&orders, &load.orders(), &mut findings);
    check_stock(client, &orders, load, &mut findings).await?;
    check_payments(client, &orders, &load.orders(), &mut findings).await?;
    Ok(findings)
}

/// Waits until all orders and payments are settled and no stock is reserved, and returns all orders.
async fn wait_until_settled(client: &ShopClient) -> Result<Vec<Order>> {
    let began = Instant::now();
    loop {
        let head = client.head().await?;
        let orders = client.list("/api/orders", head).await?;
        let stock = client.list("/api/inventory/stock", head).await?;
        let payments = client.list("/api/payments", head).await?;
        let is_settled = |order: &Value| {
            ["CONFIRMED", "CANCELLED", "TIMED_OUT"].iter().any(|status| order["status"] == *status)
        };
        let is_paid = |payment: &Value| {
            payment["status"] != "PENDING"
                && payment["status"] != "AUTHORIZED"
                && payment["refunds"].as_array().is_none_or(|refunds| {
                    refunds
                        .iter()
                        .all(|refund| refund["status"] != "PENDING" && refund["status"] != "REQUESTED")
                })
        };
        let is_over = orders.iter().all(is_settled)
            && stock.iter().all(|sku| sku["reserved"] == 0)
            && payments.iter().all(is_paid)
            && client.head().await? == head;
        if is_over {
            return orders.iter().map(read).collect();
        }
        let stuck: Vec<&Value> = orders.iter().filter(|order| !is_settled(order)).collect();
        let unpaid: Vec<&Value> = payments.iter().filter(|payment| !is_paid(payment)).collect();
        ensure!(
            began.elapsed().as_secs() < SETTLED_SECONDS_MAX,
            "not settled after {SETTLED_SECONDS_MAX} s: {} orders, {} payments, the first {:?} {:?}; stock {stock:?}",
            stuck.len(),
            unpaid.len(),
            stuck.first(),
            unpaid.first()
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn read(order: &Value) -> Result<Order> {
    let text = |pointer: &str| order.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut units = BTreeMap::new();
    for line in order["lines"].as_array().into_iter().flatten() {
        let sku = line["sku"].as_str().context("a line without a SKU")?;
        *units.entry(sku.to_owned()).or_default() +=
            line["quantity"].as_i64().context("a line without a quantity")?;
    }
    Ok(Order {
        id: text("/id").context("an order without an id")?,
        status: text("/status").context("an order without a status")?,
        total: order.pointer("/total/amount").and_then(Value::as_i64).context("an order without a total")?,
        units,
        payment: text("/payment/id"),
    })
}

/// Checks that every acknowledged order is listed once and has its acknowledged status, or was cancelled
/// later.
fn check_orders(orders: &[Order], records: &BTreeMap<String, OrderRecord>, findings: &mut Vec<String>) {
    let found: BTreeMap<&str, &str> =
        orders.iter().map(|order| (order.id.as_str(), order.status.as_str())).collect();
    if found.len() != orders.len() {
        findings.push("an order is listed twice".to_owned());
    }
    for (id, record) in records {
        let status = found.get(id.as_str()).copied();
        let expected = match record.status.as_str() {
            _ if record.cancelled => status == Some("CANCELLED"),
            "CONFIRMED" | "CANCELLED" | "TIMED_OUT" => status == Some(record.status.as_str()),
            _ => status.is_some(),
        };
        if !expected {
            findings.push(format!("order {id} was acknowledged as {record:?} and is {status:?}"));
        }
    }
    for order in orders.iter().filter(|order| !records.contains_key(&order.id)) {
        findings.push(format!("order {} exists, but no response acknowledged it", order.id));
    }
}

/// Checks that the stock of each SKU equals the units counted in minus the units of confirmed orders.
async fn check_stock(
    client: &ShopClient,
    orders: &[Order],
    load: &Load,
    findings: &mut Vec<String>,
) -> Result<()> {
    let mut expected = load.counted();
    for order in orders.iter().filter(|order| order.status == "CONFIRMED") {
        for (sku, units) in &order.units {
            *expected.entry(sku.clone()).or_default() -= units;
        }
    }
    for (sku, expected) in expected {
        let path = format!("/api/inventory/stock/{sku}");
        let stock = client.send(Call::get(&path)).await?.success("stock")?;
        if stock.body["onHand"] != expected {
            findings.push(format!("{sku}: expected {expected} on hand: {}", stock.body));
        }
    }
    Ok(())
}

/// Checks that every confirmed order was paid once, and that all money of other orders was returned.
async fn check_payments(
    client: &ShopClient,
    orders: &[Order],
    records: &BTreeMap<String, OrderRecord>,
    findings: &mut Vec<String>,
) -> Result<()> {
    for order in orders {
        let Some(id) = &order.payment else {
            if order.status == "CONFIRMED" {
                findings.push(format!("order {} is confirmed without a payment", order.id));
            }
            continue;
        };
        let path = format!("/api/payments/{id}");
        let payment = client.send(Call::get(&path)).await?.success("a payment")?.body;
        let refunded: i64 = payment["refunds"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|refund| refund["amount"]["amount"].as_i64())
            .sum();
        let status = payment["status"].as_str().unwrap_or_default();
        let accepted: i64 = records.get(&order.id).map_or(0, |record| record.refunds.iter().sum());
        let is_right = match order.status.as_str() {
            "CONFIRMED" if accepted == 0 => status == "CAPTURED" && refunded == 0,
            "CONFIRMED" if accepted < order.total => status == "PARTIALLY_REFUNDED" && refunded == accepted,
            "CONFIRMED" => status == "REFUNDED" && refunded == accepted,
            _ => match status {
                "REFUNDED" => refunded == order.total,
                "CANCELLED" | "FAILED" => refunded == 0,
                _ => false,
            },
        };
        if !is_right || payment["amount"]["amount"] != order.total {
            findings.push(format!(
                "order {} is {} with accepted refunds of {}: {payment}",
                order.id, order.status, accepted
            ));
        }
    }
    Ok(())
}
