//! A shop for a bench: started on an empty folder, with products in stock.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::shop::{Call, Server, ShopClient, admin_token, process_memory_mib};

use super::Bench;

/// Largest number of concurrent requests while products are created.
const FILLING_MAX: usize = 32;
/// Milliseconds without new events after which the shop counts as idle.
const QUIET_MS: u64 = 500;

/// Running shop of a benchmark.
pub(super) struct OpenShop {
    server: Server,
    pub(super) client: ShopClient,
}

impl OpenShop {
    /// Starts a shop in a new folder of this name.
    pub(super) async fn open(bench: &mut Bench, name: &str) -> Result<Self> {
        let data = bench.folder(name)?.join("shop");
        Self::in_folder(bench, &data).await
    }

    /// Starts a shop with this data folder.
    pub(super) async fn in_folder(bench: &mut Bench, data: &Path) -> Result<Self> {
        let (server, client) = Server::start(&bench.souk()?, data).await?;
        Ok(Self { server, client })
    }

    /// Starts a shop with this data folder and environment variables. Also returns the time until it was
    /// ready.
    pub(super) async fn in_folder_with(
        bench: &mut Bench,
        data: &Path,
        variables: &[(&str, String)],
    ) -> Result<(Self, Duration)> {
        let souk = bench.souk()?;
        let server = Server::start_on(&souk, data, "127.0.0.1:0", variables).await?;
        let client = ShopClient::new(&server.url, admin_token(&souk, data)?)?;
        let ready_after = server.ready_after;
        Ok((Self { server, client }, ready_after))
    }

    /// Creates products with one SKU each, starting with `SKU-0`, adds this many units of each to the stock,
    /// and waits until the read models show them.
    pub(super) async fn stock(&self, skus: usize, units: u32) -> Result<()> {
        let calls = (0..skus).map(|number| self.stock_one(number, units));
        stream::iter(calls).buffer_unordered(FILLING_MAX).try_collect::<()>().await?;
        let last = self.client.highest_position();
        let call = Call::get("/api/inventory/stock").min_position(last).wait_s(30);
        self.client.send(call).await?.success("stock").map(|_| ())
    }

    async fn stock_one(&self, number: usize, units: u32) -> Result<()> {
        let sku = sku(number);
        let price = json!({"amount": 255, "currency": "GBP"});
        let product = json!({"name": format!("Lantern {number}"), "description": "", "category": "bench",
            "attributes": {}, "active": true, "sku": sku, "price": price});
        let key = format!("bench-{sku}");
        self.client.send(Call::post("/api/products", &product).key(key)).await?.success(&sku)?;
        let count = json!({"sku": sku, "onHand": units});
        self.client.send(Call::post("/api/inventory/stock", &count)).await?.success(&sku).map(|_| ())
    }

    /// Orders one unit of a product and checks that the order is confirmed.
    pub(super) async fn check_out(&self, number: usize) -> Result<()> {
        let call = Call::post("/api/orders", &order_of(number)).wait_s(30);
        let response = self.client.send(call).await?.success("checkout")?;
        ensure!(response.text("/status")? == "CONFIRMED", "a checkout ended {}", response.body);
        Ok(())
    }

    /// Waits until the shop appends no more events.
    pub(super) async fn quiet(&self) -> Result<()> {
        loop {
            let before = self.client.head().await?;
            tokio::time::sleep(std::time::Duration::from_millis(QUIET_MS)).await;
            if self.client.head().await? == before {
                return Ok(());
            }
        }
    }

    /// Number of commits of the log since the start.
    pub(super) async fn commits(&self) -> Result<f64> {
        self.client.counter("souk_log_commits_total", "").await
    }

    /// Time of these commits, as measured by the log, in seconds.
    pub(super) async fn commit_seconds(&self) -> Result<f64> {
        Ok(self.client.counter("souk_log_commit_microseconds_total", "").await? / 1e6)
    }

    /// CPU time of the shop so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        crate::shop::process_cpu_seconds(self.server.pid())
    }

    /// Resident memory of the shop, in MiB.
    pub(super) fn memory_mib(&self) -> Result<f64> {
        process_memory_mib(self.server.pid())
    }

    /// URL of the shop.
    pub(super) fn url(&self) -> &str {
        &self.server.url
    }

    /// Stops the shop and checks that it exits without an error.
    pub(super) fn close(self) -> Result<()> {
        self.server.stop()
    }
}

/// SKU of a product, by its number from 0.
pub(super) fn sku(number: usize) -> String {
    format!("SKU-{number}")
}

/// Body of an order for one unit with a payment that succeeds at once.
pub(super) fn order_of(number: usize) -> Value {
    json!({"lines": [{"sku": sku(number), "quantity": 1}], "payment": {"token": "tok_ok"}})
}
