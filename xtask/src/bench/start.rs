//! Benchmark of the start of a shop that has a long log and many open orders: once with stored read models
//! and process rows, and once without them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use souk_sqlite_read_models::READ_MODELS_FILE;

use crate::shop::Call;

use super::load::Load;
use super::open_shop::{OpenShop, sku};
use super::row::Row;
use super::{Bench, client_runtime, figure};

/// Number of products: enough that clients seldom order the same product.
const SKUS: usize = 500;
/// Units in stock of each product: so many that they never run out.
const UNITS: u32 = 1_000_000;
/// Number of concurrent clients.
const CLIENTS: usize = 32;
/// Number of paid orders. Together with the open orders, they make about a million events.
const PAID_ORDERS: usize = 64_000;
/// Number of orders that wait for payment during the whole benchmark.
const OPEN_ORDERS: usize = 50_000;
/// Number of open orders whose provider call gets no response, so that the call is repeated at every start.
const SILENT_ORDERS: usize = 2_000;
/// Number that divides the numbers of orders if `--long` is not given.
const SHORT_DIVISOR: usize = 20;
/// Payment timeout of the orders: longer than the benchmark.
const PAYMENT_TIMEOUT_S: u32 = 30 * 24 * 3_600;

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    client_runtime()?.block_on(measure(bench))
}

async fn measure(bench: &mut Bench) -> Result<Vec<Row>> {
    let data = bench.folder("start")?.join("shop");
    let variables = [("SOUK_PAYMENT_TIMEOUT_S", PAYMENT_TIMEOUT_S.to_string())];
    let divisor = if bench.long { 1 } else { SHORT_DIVISOR };
    let (shop, _) = OpenShop::in_folder_with(bench, &data, &variables).await?;
    let head = trade(&shop, divisor).await?;
    shop.close()?;
    let note = format!("{head} events in the log, {} orders open", OPEN_ORDERS / divisor);

    let (shop, with_rows) = OpenShop::in_folder_with(bench, &data, &variables).await?;
    let began = Instant::now();
    shop.check_out(0).await?;
    let first_checkout = began.elapsed();
    let memory = shop.memory_mib()?;
    shop.close()?;

    remove_read_models(&data)?;
    let (shop, without_rows) = OpenShop::in_folder_with(bench, &data, &variables).await?;
    shop.check_out(0).await?;
    shop.close()?;
    Ok(vec![
        Row::reported("restart with open orders: ready after", "s", seconds(with_rows)).note(note.clone()),
        Row::reported("the first checkout after that restart", "s", seconds(first_checkout))
            .note(format!("{} calls to the provider are repeated meanwhile", SILENT_ORDERS / divisor)),
        Row::reported("the same restart: memory", "MiB", memory).note(note.clone()),
        Row::reported("start without read models and process rows: ready after", "s", seconds(without_rows))
            .note(format!("{note}; {:.0} events/s", head / seconds(without_rows))),
    ])
}

/// Fills the log, and returns its number of events.
async fn trade(shop: &OpenShop, divisor: usize) -> Result<f64> {
    shop.stock(SKUS, UNITS).await?;
    let each = PAID_ORDERS / divisor / CLIENTS;
    Load::run(shop, CLIENTS, each, |client, n| shop.check_out((client * 7 + n) % SKUS)).await?;
    let open = OPEN_ORDERS / divisor / CLIENTS;
    let silent = SILENT_ORDERS / divisor / CLIENTS;
    Load::run(shop, CLIENTS, open, |client, n| order(shop, (client * 7 + n) % SKUS, n < silent)).await?;
    shop.quiet().await?;
    Ok(figure(shop.client.head().await?))
}

/// Orders one unit of a product without payment, or with a payment whose provider call gets no response.
async fn order(shop: &OpenShop, number: usize, is_silent: bool) -> Result<()> {
    let mut order = json!({"lines": [{"sku": sku(number), "quantity": 1}]});
    if is_silent {
        order["payment"] = json!({"token": "tok_silent"});
    }
    shop.client.send(Call::post("/api/orders", &order)).await?.success("order").map(|_| ())
}

/// Deletes the file of read models and process rows.
fn remove_read_models(data: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let file = data.join(format!("{READ_MODELS_FILE}{suffix}"));
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
