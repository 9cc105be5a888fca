//! Load test with concurrent clients. Each client waits for a response before its next request.

use std::time::Instant;

use anyhow::Result;
use futures_util::stream::{FuturesUnordered, TryStreamExt};

use crate::shop::own_cpu_seconds;

use super::{figure, median, open_shop::OpenShop};

/// Measured values of a load test.
pub(super) struct Load {
    pub(super) per_second: f64,
    pub(super) seconds: f64,
    median_ms: f64,
    client_cpu_seconds: f64,
    shop_cpu_seconds: f64,
}

impl Load {
    /// Runs concurrent clients. Each client calls `work(client, n)` for n from 0 to `each` − 1, one call
    /// after another.
    pub(super) async fn run<W, F>(shop: &OpenShop, clients: usize, each: usize, work: W) -> Result<Self>
    where
        W: Fn(usize, usize) -> F,
        F: Future<Output = Result<()>>,
    {
        let cpu_before = (own_cpu_seconds()?, shop.cpu_seconds()?);
        let started = Instant::now();
        let work = &work;
        let running: FuturesUnordered<_> = (0..clients)
            .map(|client| async move {
                let mut response_ms = Vec::with_capacity(each);
                for n in 0..each {
                    let started = Instant::now();
                    work(client, n).await?;
                    response_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
                }
                anyhow::Ok(response_ms)
            })
            .collect();
        let response_ms = running.try_concat().await?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(Self {
            per_second: figure((clients * each) as u64) / seconds,
            seconds,
            median_ms: median(response_ms),
            client_cpu_seconds: own_cpu_seconds()? - cpu_before.0,
            shop_cpu_seconds: shop.cpu_seconds()? - cpu_before.1,
        })
    }

    /// Returns the measured values as a text for the note of a row.
    pub(super) fn describe(&self) -> String {
        let Self { seconds, median_ms, client_cpu_seconds, shop_cpu_seconds, .. } = self;
        format!(
            "{seconds:.1} s, median {median_ms:.1} ms, CPU client {client_cpu_seconds:.1} s, shop {shop_cpu_seconds:.1} s"
        )
    }
}
