//! The audit: what the shop says from outside, held to what it had acknowledged and to itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::load::{Load, Told};
use crate::shop::{Call, ShopClient};

/// Seconds until everything that was under way must have settled.
const SETTLED_SECONDS_MAX: u64 = 90;

/// Units and money of one order.
struct Order {
    id: String,
    status: String,
    total: i64,
    units: BTreeMap<String, i64>,
    payment: Option<String>,
}

/// Holds a running shop to what it had acknowledged.
pub(super) async fn open_shop(client: &ShopClient, load: &Load) -> Result<Vec<String>> {
    let orders = settled(client).await?;
    let mut findings = Vec::new();
    acknowledged(&orders, &load.orders(), &mut findings);
    stock(client, &orders, load, &mut findings).await?;
    payments(client, &orders, &load.orders(), &mut findings).await?;
    Ok(findings)
}

/// Every order, once none is under way and no unit is held.
async fn settled(client: &ShopClient) -> Result<Vec<Order>> {
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
        let sku = line["sku"].as_str().context("a line has a SKU")?;
        *units.entry(sku.to_owned()).or_default() += line["quantity"].as_i64().context("a quantity")?;
    }
    Ok(Order {
        id: text("/id").context("an order has an id")?,
        status: text("/status").context("an order has a status")?,
        total: order.pointer("/total/amount").and_then(Value::as_i64).context("an order has a total")?,
        units,
        payment: text("/payment/id"),
    })
}

/// Every acknowledged order is there once, and has become what was said, or was cancelled since.
fn acknowledged(orders: &[Order], told: &BTreeMap<String, Told>, findings: &mut Vec<String>) {
    let found: BTreeMap<&str, &str> =
        orders.iter().map(|order| (order.id.as_str(), order.status.as_str())).collect();
    if found.len() != orders.len() {
        findings.push("an order is listed twice".to_owned());
    }
    for (id, told) in told {
        let status = found.get(id.as_str()).copied();
        let expected = match told.status.as_str() {
            _ if told.cancelled => status == Some("CANCELLED"),
            "CONFIRMED" | "CANCELLED" | "TIMED_OUT" => status == Some(told.status.as_str()),
            _ => status.is_some(),
        };
        if !expected {
            findings.push(format!("order {id} was told to be {told:?} and is {status:?}"));
        }
    }
    for order in orders.iter().filter(|order| !told.contains_key(&order.id)) {
        findings.push(format!("order {} was made, and nobody was told so", order.id));
    }
}

/// Stock is what was counted in, less what was sold and not given back.
async fn stock(client: &ShopClient, orders: &[Order], load: &Load, findings: &mut Vec<String>) -> Result<()> {
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
            findings.push(format!("{sku}: {expected} should be on hand: {}", stock.body));
        }
    }
    Ok(())
}

/// Every confirmed order was paid for, once; every other holds nobody's money.
async fn payments(
    client: &ShopClient,
    orders: &[Order],
    told: &BTreeMap<String, Told>,
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
        let accepted: i64 = told.get(&order.id).map_or(0, |told| told.refunds.iter().sum());
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
                "order {} is {}, {} was accepted back: {payment}",
                order.id, order.status, accepted
            ));
        }
    }
    Ok(())
}
