//! Benchmark of carts over HTTP: 32 guests who add lines, and one cart with a thousand lines.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;

use crate::shop::Call;

use super::load::Load;
use super::open_shop::{OpenShop, sku};
use super::row::Row;
use super::{Bench, client_runtime, median};

/// Number of lines of the large cart.
const LINES: usize = 1_000;
/// Number of lines that each guest adds.
const ADDS_EACH: usize = 150;
/// Number of concurrent guests.
const CLIENTS: usize = 32;
/// Number of carts whose first line is measured, and of last lines of the large cart that are measured.
const TIMED: usize = 10;

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let rates = bench.log_rates()?;
    client_runtime()?.block_on(async {
        let shop = OpenShop::open(bench, "cart").await?;
        shop.stock(LINES, 1_000).await?;
        let load = guests(&shop).await?;
        shop.quiet().await?;
        let (first_ms, last_ms) = first_and_last(&shop).await?;
        shop.close()?;
        Ok(vec![
            Row::at_least("add to cart, 32 clients", "/s", load.per_second, rates.writers, 0.1)
                .note(load.describe()),
            Row::at_most_times(
                "the 1,000th line of a cart, compared with the first",
                "ms",
                last_ms,
                first_ms,
                2.0,
            ),
        ])
    })
}

/// Adds a line to a cart, or to a new cart if there is no token. Returns the cart token of the response.
async fn add(shop: &OpenShop, token: Option<&str>, number: usize) -> Result<Option<String>> {
    let body = json!({"sku": sku(number % LINES), "quantity": 1});
    let call = Call::post("/api/cart/items", &body).guest(token);
    Ok(shop.client.send(call).await?.success("add to cart")?.cart_token)
}

async fn new_cart(shop: &OpenShop) -> Result<String> {
    add(shop, None, 0).await?.context("the response to a guest's first write has no X-Cart-Token")
}

async fn guests(shop: &OpenShop) -> Result<Load> {
    let mut tokens = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        tokens.push(new_cart(shop).await?);
    }
    let tokens = &tokens;
    Load::run(shop, CLIENTS, ADDS_EACH, |client, n| async move {
        add(shop, Some(&tokens[client]), n + 1).await.map(|_| ())
    })
    .await
}

/// Measures the median time to add the first line of a cart, and to add the last lines of the large cart.
async fn first_and_last(shop: &OpenShop) -> Result<(f64, f64)> {
    let mut first_ms = Vec::new();
    for _ in 0..TIMED {
        let started = Instant::now();
        new_cart(shop).await?;
        first_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    let token = new_cart(shop).await?;
    let mut last_ms = Vec::new();
    for number in 1..LINES {
        let started = Instant::now();
        add(shop, Some(&token), number).await?;
        if number >= LINES - TIMED {
            last_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    Ok((median(first_ms), median(last_ms)))
}
