//! Benchmark of a flash sale: 200 buyers order 50 units of one SKU at the same time.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::shop::{Call, Response};

use super::open_shop::{OpenShop, order_of, sku};
use super::row::Row;
use super::{Bench, client_runtime, figure};

/// Number of buyers, each of whom orders one unit.
const BUYERS: usize = 200;
/// Stock of the SKU.
const UNITS: u32 = 50;
/// Metric: appends of the executor, by category of stream.
const APPENDS: &str = "souk_executor_appends_total";
/// Metric: conflicts after which the executor decided again.
const CONFLICTS: &str = "souk_executor_conflicts_total";
/// Label of the streams of stock.
const STOCK: &str = "category=\"stock\"";

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    client_runtime()?.block_on(async {
        let shop = OpenShop::open(bench, "flash-sale").await?;
        shop.stock(1, UNITS).await?;
        let appends_before = counter(&shop, APPENDS).await?;
        let conflicts_before = counter(&shop, CONFLICTS).await?;
        let orders = try_join_all((0..BUYERS).map(|_| buy(&shop))).await?;
        shop.quiet().await?;
        let appends = counter(&shop, APPENDS).await? - appends_before;
        let conflicts = counter(&shop, CONFLICTS).await? - conflicts_before;

        let confirmed = orders.iter().filter(|order| order["status"] == "CONFIRMED").count();
        let refused = orders.iter().filter(|order| is_out_of_stock(order)).count();
        let left = stock_left(&shop).await?;
        shop.close()?;
        Ok(vec![
            Row::exactly("flash sale: confirmed", "orders", figure(confirmed as u64), f64::from(UNITS)),
            Row::exactly(
                "flash sale: cancelled because of missing stock",
                "orders",
                figure(refused as u64),
                150.0,
            ),
            Row::exactly("flash sale: units still on hand or reserved", "units", left, 0.0),
            Row::at_most("flash sale: commits to the stream of the stock", "", appends, 40.0)
                .note("reservations and confirmations"),
            Row::exactly("flash sale: decisions repeated after a conflict", "", conflicts, 0.0),
        ])
    })
}

/// Value of a counter for the streams of stock; zero if only other streams have counted. A counter that is
/// missing in `/metrics` is an error.
async fn counter(shop: &OpenShop, name: &str) -> Result<f64> {
    shop.client.counter(name, "").await?;
    Ok(shop.client.counter(name, STOCK).await.unwrap_or(0.0))
}

fn is_out_of_stock(order: &Value) -> bool {
    order["status"] == "CANCELLED" && order["reason"]["code"] == "insufficient-stock"
}

/// Orders one unit and returns the settled order.
async fn buy(shop: &OpenShop) -> Result<Value> {
    let call = Call::post("/api/orders", &order_of(0)).wait_s(30);
    let response = shop.client.send(call).await?.success("buying")?;
    let path = format!("/api/orders/{}", response.text("/id")?);
    let position: u64 = response.text("/position")?.parse().context("a position is a number")?;
    let call = Call::get(&path).min_position(position).wait_s(30);
    let Response { body, .. } = shop.client.send(call).await?.success(&path)?;
    Ok(body)
}

async fn stock_left(shop: &OpenShop) -> Result<f64> {
    let path = format!("/api/inventory/stock/{}", sku(0));
    let call = Call::get(&path).min_position(shop.client.highest_position()).wait_s(30);
    let response = shop.client.send(call).await?.success(&path)?;
    let number = |name: &str| response.body[name].as_f64().with_context(|| format!("stock without {name}"));
    Ok(number("onHand")? + number("reserved")?)
}
