//! A buyer who looks, fills a cart and orders, over and over, and takes the time of each call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::shop::{Call, ShopClient};

const SKU: &str = "ABUSE-1";
/// Units of it: more than are ever bought.
const UNITS: i64 = 1_000_000;

/// The pause between two purchases. Without one, the caches of the shop fill with orders, up to limits of their own:
/// that is trade, not abuse (measured without any attacker: 21,000 orders in 60 s, and 142 MiB more).
const PAUSE: Duration = Duration::from_millis(50);

/// A buyer, by one way to the shop.
pub(super) struct Buyer {
    client: ShopClient,
    name: &'static str,
    orders: AtomicU64,
}

/// Times of calls, and the calls that failed.
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

    /// The time within which so many of a hundred calls are answered.
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

    /// There is something to buy.
    pub(super) async fn stock(&self) -> Result<()> {
        let product = json!({ "name": SKU, "sku": SKU, "price": { "amount": 250, "currency": "GBP" } });
        let call = Call::post("/api/products", &product).key("product");
        self.client.send(call).await?.success("a product")?;
        let stock = json!({ "sku": SKU, "onHand": UNITS });
        self.client.send(Call::post("/api/inventory/stock", &stock).key("stock")).await?.success("stock")?;
        Ok(())
    }

    /// Looks, and orders. The time of each call, with the repeats that a shop under load asks for.
    pub(super) async fn buy(&self) -> Result<[Duration; 2]> {
        let began = Instant::now();
        self.client.send(Call::get("/api/products?limit=20")).await?.success("looking")?;
        let looked_after = began.elapsed();
        let order = json!({
            "customerId": "buyer", "lines": [{ "sku": SKU, "quantity": 1 }], "payment": { "token": "tok_ok" },
        });
        let number = self.orders.fetch_add(1, Ordering::Relaxed);
        let call = Call::post("/api/orders", &order).key(format!("{}-{number}", self.name));
        let answer = self.client.send(call).await?.success("an order")?;
        answer.text("/id").context("an order without an id")?;
        Ok([looked_after, began.elapsed().saturating_sub(looked_after)])
    }

    /// Buys until a moment.
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
    fn percentiles_are_of_all_calls() {
        let took = (1..=100).rev().map(Duration::from_millis).collect();
        let calls = Calls { took, ..Calls::default() };
        assert_eq!(calls.percentile(50), Duration::from_millis(51));
        assert_eq!(calls.percentile(99), Duration::from_millis(100));
        assert_eq!(Calls::default().percentile(99), Duration::ZERO);
    }
}
