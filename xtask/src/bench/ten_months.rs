//! Benchmark of all months of real data: replay of a long log, and a start with it. Only with `--long`.

use std::time::Duration;

use anyhow::Result;

use crate::real_data;
use crate::shop::{Server, process_memory_mib};

use super::row::Row;
use super::{Bench, client_runtime, month};

/// Milliseconds after the start until the memory is measured.
const REST_MS: u64 = 3_000;

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    if !bench.long {
        return Ok(Vec::new());
    }
    let one = month::trade_once(bench)?;
    let souk = bench.souk()?;
    let months = real_data::all_months(bench.scratch())?;
    let data = bench.folder("months")?.join("shop");
    let figures = month::trade(&souk, &data, &months.files, false)?;
    let replay = month::replay(&souk, &data)?;
    let (ready_seconds, memory_mib) = client_runtime()?.block_on(async {
        let (server, _client) = Server::start(&souk, &data).await?;
        tokio::time::sleep(Duration::from_millis(REST_MS)).await;
        let memory = process_memory_mib(server.pid())?;
        let ready = server.ready_after.as_secs_f64();
        server.stop()?;
        anyhow::Ok((ready, memory))
    })?;
    let traded = format!("{}, traded in {:.0} s", months.described, figures.seconds);
    let events = format!("{} events in the log", figures.head);
    let rate = replay.events_per_second;
    let rate_of_one = one.replay.events_per_second;
    Ok(vec![
        Row::at_least("replay over ten months, compared with one", "events/s", rate, rate_of_one, 0.8)
            .note(traded),
        Row::at_most("start with 1 M events: ready after", "s", ready_seconds, 2.0).note(events.clone()),
        Row::at_most("start with 1 M events: memory at rest", "MiB", memory_mib, 150.0).note(events),
    ])
}
