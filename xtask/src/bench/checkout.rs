//! Checkouts over HTTP: one on an idle machine, and thirty-two clients at once.

use std::time::Instant;

use anyhow::Result;

use super::load::Load;
use super::open_shop::OpenShop;
use super::row::Row;
use super::{Bench, client_runtime, figure, median};

/// Products, so many that clients seldom meet.
const SKUS: usize = 200;
/// Units of each: none runs out.
const UNITS: u32 = 1_000_000;
/// Checkouts that go before, to warm up.
const WARM_UP: usize = 20;
/// Checkouts one after another, each on an idle shop.
const SINGLE_CHECKOUTS: usize = 30;
/// Clients at once.
const CLIENTS: usize = 32;
/// Checkouts of each.
const CHECKOUTS_EACH: usize = 100;

/// The rows of this group.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let rates = bench.log_rates()?;
    client_runtime()?.block_on(async {
        let shop = OpenShop::open(bench, "checkout").await?;
        shop.stock(SKUS, UNITS).await?;
        let Single { commits, seconds, beside_seconds } = single(&shop).await?;
        let commit_ms = (seconds - beside_seconds) / commits * 1e3;
        let note = format!("{:.2} ms in all; a commit takes {commit_ms:.2} ms", seconds * 1e3);

        let head_before = shop.client.head().await?;
        let load =
            Load::run(&shop, CLIENTS, CHECKOUTS_EACH, |client, n| shop.check_out((client * 7 + n) % SKUS))
                .await?;
        shop.quiet().await?;
        let events = figure(shop.client.head().await? - head_before);
        let events_each = events / figure((CLIENTS * CHECKOUTS_EACH) as u64);
        shop.close()?;

        let events_per_second = load.per_second * events_each;
        let many =
            format!("{:.0} checkouts/s of {events_each:.1} events; {}", load.per_second, load.described());
        Ok(vec![
            Row::at_most("one small checkout: commits before the response", "", commits, 12.0),
            Row::at_most("one small checkout: time without the commits", "ms", beside_seconds * 1e3, 3.0)
                .note(note),
            Row::at_least(
                "checkouts of 1 line, 32 clients",
                "events/s",
                events_per_second,
                rates.writers,
                0.25,
            )
            .note(many),
        ])
    })
}

/// The middle one of what single checkouts take.
struct Single {
    commits: f64,
    seconds: f64,
    /// Seconds beside the commits, whose time the log takes: a sync on an idle machine takes another time
    /// than one of many in a row.
    beside_seconds: f64,
}

/// Checks out on an idle shop. Commits of what follows the answer can be among those counted, never the
/// other way round.
async fn single(shop: &OpenShop) -> Result<Single> {
    for number in 0..WARM_UP {
        shop.check_out(number % SKUS).await?;
    }
    let (mut commits, mut seconds, mut beside_seconds) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SINGLE_CHECKOUTS {
        shop.quiet().await?;
        let (commits_before, commit_seconds_before) = (shop.commits().await?, shop.commit_seconds().await?);
        let started = Instant::now();
        shop.check_out(number % SKUS).await?;
        let took = started.elapsed().as_secs_f64();
        seconds.push(took);
        commits.push(shop.commits().await? - commits_before);
        beside_seconds.push(took - (shop.commit_seconds().await? - commit_seconds_before));
    }
    Ok(Single { commits: median(commits), seconds: median(seconds), beside_seconds: median(beside_seconds) })
}
