//! Buyer who lists products and orders again and again, and measures the time of each call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::shop::{Call, ShopClient};

const SKU: &str = "ABUSE-1";
/// Stock of the product: more than a trial can sell.
const UNITS: i64 = 1_000_000;

/// Pause between two purchases. Without it, the orders fill the caches of the shop up to their limits, and
/// this growth is not caused by attacks (measured without attackers: 21,000 orders in 60 s, and a growth of
/// 142 MiB).
const PAUSE: Duration = Duration::from_millis(50);

/// Buyer who reaches the shop directly or through the gateway.
pub(super) struct Buyer {
    client: ShopClient,
    name: &'static str,
    orders: AtomicU64,
}

/// Times of successful calls, and messages of failed calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    took: Vec<Duration>,
    failures: Vec<String>,
}

impl Calls {
    pub(super) fn done(&self) -> usize {
        self.took.len()
    }

    pub(super) fn failed(&self) -> usize {
        self.failures.len()
    }

    pub(super) fn first_failure(&self) -> Option<&String> {
        self.failures.first()
    }

    /// Returns the time within which this percentage of the calls was complete.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        let index = (took.len() * percent / 100).min(took.len().saturating_sub(1));
        took.get(index).copied().unwrap_or_default()
    }
}

impl Buyer {
    pub(super) fn new(client: ShopClient, name: &'static str) -> Self {
        Self { client, name, orders: AtomicU64::new(0) }
    }

    /// Creates the product and its stock.
    pub(super) async fn stock(&self) -> Result<()> {
        let product = json!({ "name": SKU, "sku": SKU, "price": { "amount": 250, "currency": "GBP" } });
        let call = Call::post("/api/products", &product).key("product");
        self.client.send(call).await?.success("a product")?;
        let stock = json!({ "sku": SKU, "onHand": UNITS });
        self.client.send(Call::post("/api/inventory/stock", &stock).key("stock")).await?.success("stock")?;
        Ok(())
    }

    /// Lists products and orders one unit. Returns the time of each call, including retries.
    pub(super) async fn buy(&self) -> Result<[Duration; 2]> {
        let began = Instant::now();
        self.client.send(Call::get("/api/products?limit=20")).await?.success("listing products")?;
        let listed_after = began.elapsed();
        let order = json!({
            "customerId": "buyer", "lines": [{ "sku": SKU, "quantity": 1 }], "payment": { "token": "tok_ok" },
        });
        let number = self.orders.fetch_add(1, Ordering::Relaxed);
        let call = Call::post("/api/orders", &order).key(format!("{}-{number}", self.name));
        let response = self.client.send(call).await?.success("an order")?;
        response.text("/id").context("an order without an id")?;
        Ok([listed_after, began.elapsed().saturating_sub(listed_after)])
    }

    /// Buys until `end`.
    pub(super) async fn buy_until(&self, end: Instant) -> Calls {
        let mut calls = Calls::default();
        while Instant::now() < end {
            match self.buy().await {
                Ok(took) => calls.took.extend(took),
                Err(error) => calls.failures.push(format!("{error:#}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_counts_all_calls() {
        let took = (1..=100).rev().map(Duration::from_millis).collect();
        let calls = Calls { took, ..Calls::default() };
        assert_eq!(calls.percentile(50), Duration::from_millis(51));
        assert_eq!(calls.percentile(99), Duration::from_millis(100));
        assert_eq!(Calls::default().percentile(99), Duration::ZERO);
    }
}
