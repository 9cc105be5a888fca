//! A flash sale: two hundred buyers of fifty units of one SKU, all at once.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::shop::{Answer, Call};

use super::open_shop::{OpenShop, order_of, sku};
use super::row::Row;
use super::{Bench, client_runtime, figure};

/// Buyers, each of one unit.
const BUYERS: usize = 200;
/// Units there are.
const UNITS: u32 = 50;
/// Appends that the executor made to streams of a category.
const APPENDS: &str = "souk_executor_appends_total";
/// Conflicts it decided again after.
const CONFLICTS: &str = "souk_executor_conflicts_total";
/// The stock's streams.
const STOCK: &str = "category=\"stock\"";

/// The rows of this group.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    client_runtime()?.block_on(async {
        let shop = OpenShop::open(bench, "flash-sale").await?;
        shop.stock(1, UNITS).await?;
        let appends_before = counter(&shop, APPENDS).await?;
        let conflicts_before = counter(&shop, CONFLICTS).await?;
        let answers = try_join_all((0..BUYERS).map(|_| buy(&shop))).await?;
        shop.quiet().await?;
        let appends = counter(&shop, APPENDS).await? - appends_before;
        let conflicts = counter(&shop, CONFLICTS).await? - conflicts_before;

        let confirmed = answers.iter().filter(|order| order["status"] == "CONFIRMED").count();
        let refused = answers.iter().filter(|order| is_out_of_stock(order)).count();
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

/// A counter's part for the stock's streams: zero while only other streams have moved it. One that
/// `/metrics` doesn't name at all is an error.
async fn counter(shop: &OpenShop, name: &str) -> Result<f64> {
    shop.client.counter(name, "").await?;
    Ok(shop.client.counter(name, STOCK).await.unwrap_or(0.0))
}

fn is_out_of_stock(order: &Value) -> bool {
    order["status"] == "CANCELLED" && order["reason"]["code"] == "insufficient-stock"
}

/// Buys one unit and reads what became of the order.
async fn buy(shop: &OpenShop) -> Result<Value> {
    let call = Call::post("/api/orders", &order_of(0)).wait_s(30);
    let answer = shop.client.send(call).await?.success("buying")?;
    let path = format!("/api/orders/{}", answer.text("/id")?);
    let position: u64 = answer.text("/position")?.parse().context("a position is a number")?;
    let call = Call::get(&path).min_position(position).wait_s(30);
    let Answer { body, .. } = shop.client.send(call).await?.success(&path)?;
    Ok(body)
}

async fn stock_left(shop: &OpenShop) -> Result<f64> {
    let path = format!("/api/inventory/stock/{}", sku(0));
    let call = Call::get(&path).min_position(shop.client.highest_position()).wait_s(30);
    let answer = shop.client.send(call).await?.success(&path)?;
    let number = |name: &str| answer.body[name].as_f64().with_context(|| format!("stock without {name}"));
    Ok(number("onHand")? + number("reserved")?)
}
