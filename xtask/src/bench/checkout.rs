//! Benchmark of checkouts over HTTP: single checkouts on an idle shop, and 32 concurrent clients.

use std::time::Instant;

use anyhow::Result;

use super::load::Load;
use super::open_shop::OpenShop;
use super::row::Row;
use super::{Bench, client_runtime, figure, median};

/// Number of products: enough that clients seldom order the same product.
const SKUS: usize = 200;
/// Stock of each product, which never runs out.
const UNITS: u32 = 1_000_000;
/// Number of checkouts before the measurement.
const WARM_UP: usize = 20;
/// Number of single checkouts, each on an idle shop.
const SINGLE_CHECKOUTS: usize = 30;
/// Number of concurrent clients.
const CLIENTS: usize = 32;
/// Number of checkouts per client.
const CHECKOUTS_EACH: usize = 100;

/// Measures the checkouts. Returns the rows of the report.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let rates = bench.log_rates()?;
    client_runtime()?.block_on(async {
        let shop = OpenShop::open(bench, "checkout").await?;
        shop.stock(SKUS, UNITS).await?;
        let Single { commits, seconds, seconds_without_commits } = single(&shop).await?;
        let commit_ms = (seconds - seconds_without_commits) / commits * 1e3;
        let single_note = format!("{:.2} ms in total; a commit takes {commit_ms:.2} ms", seconds * 1e3);

        let head_before = shop.client.head().await?;
        let load =
            Load::run(&shop, CLIENTS, CHECKOUTS_EACH, |client, n| shop.check_out((client * 7 + n) % SKUS))
                .await?;
        shop.quiet().await?;
        let events = figure(shop.client.head().await? - head_before);
        let events_each = events / figure((CLIENTS * CHECKOUTS_EACH) as u64);
        shop.close()?;

        let events_per_second = load.per_second * events_each;
        let load_note =
            format!("{:.0} checkouts/s of {events_each:.1} events; {}", load.per_second, load.describe());
        Ok(vec![
            Row::at_most("one small checkout: commits before the response", "", commits, 12.0),
            Row::at_most(
                "one small checkout: time without the commits",
                "ms",
                seconds_without_commits * 1e3,
                3.0,
            )
            .note(single_note),
            Row::at_least(
                "checkouts of 1 line, 32 clients",
                "events/s",
                events_per_second,
                rates.writers,
                0.25,
            )
            .note(load_note),
        ])
    })
}

/// Medians of single checkouts.
struct Single {
    commits: f64,
    seconds: f64,
    /// Seconds without the time of the commits, which the log measures. That time is left out, because a sync
    /// on an idle machine takes a different time than one of many syncs in a row.
    seconds_without_commits: f64,
}

/// Measures checkouts on an idle shop. Commits after the response may be counted too, so the number of
/// commits is never too low.
async fn single(shop: &OpenShop) -> Result<Single> {
    for number in 0..WARM_UP {
        shop.check_out(number % SKUS).await?;
    }
    let mut commits = Vec::new();
    let mut seconds = Vec::new();
    let mut seconds_without_commits = Vec::new();
    for number in 0..SINGLE_CHECKOUTS {
        shop.quiet().await?;
        let commits_before = shop.commits().await?;
        let commit_seconds_before = shop.commit_seconds().await?;
        let started = Instant::now();
        shop.check_out(number % SKUS).await?;
        let took = started.elapsed().as_secs_f64();
        seconds.push(took);
        commits.push(shop.commits().await? - commits_before);
        seconds_without_commits.push(took - (shop.commit_seconds().await? - commit_seconds_before));
    }
    Ok(Single {
        commits: median(commits),
        seconds: median(seconds),
        seconds_without_commits: median(seconds_without_commits),
    })
}
