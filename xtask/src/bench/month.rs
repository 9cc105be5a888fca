//! Benchmark of a month of orders, and of a replay of all read models from its log.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{real_data, trial};

use super::Bench;
use super::row::Row;

/// Figures of a month of orders, and of the replay of its log.
#[derive(Clone)]
pub(super) struct MonthResult {
    pub(super) figures: trial::Figures,
    pub(super) described: String,
    pub(super) replay: Replay,
}

/// Last line of `souk replay --all --json`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replay {
    pub(super) events: u64,
    pub(super) events_per_second: f64,
}

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let sync_ms = bench.log_rates()?.sync_seconds * 1_000.0;
    let MonthResult { figures, described, replay } = trade_once(bench)?;
    let note = format!(
        "{described}; fdatasync {sync_ms:.2} ms; {:.0} orders/s, {:.0} lines/s, CPU client {:.1} s, shop {:.1} s",
        figures.orders_per_second(),
        figures.lines_per_second(),
        figures.client_cpu_seconds,
        figures.server_cpu_seconds.unwrap_or_default()
    );
    Ok(vec![
        Row::at_most("one month of online-retail", "s", figures.seconds, 20.0).note(note),
        Row::no_less(
            "replay of all read models of that month",
            "events/s",
            replay.events_per_second,
            50_000.0,
        )
        .note(format!("{} events", replay.events)),
    ])
}

/// Sends the orders of the month, once per run.
pub(super) fn trade_once(bench: &mut Bench) -> Result<MonthResult> {
    if let Some(traded) = &bench.month {
        return Ok(traded.clone());
    }
    let souk = bench.souk()?;
    let months = real_data::one_month(real_data::BENCH_MONTH, bench.scratch())?;
    let data = bench.folder("month")?.join("shop");
    let figures = trade(&souk, &data, &months.files, false)?;
    let traded = MonthResult { figures, described: months.described, replay: replay(&souk, &data)? };
    bench.month = Some(traded.clone());
    Ok(traded)
}

/// Sends months of invoices. Fails if the totals of the shop and of the files differ, because the speed of a
/// wrong run has no meaning.
pub(super) fn trade(souk: &Path, data: &Path, files: &[PathBuf], people: bool) -> Result<trial::Figures> {
    let figures = trial::with_own_shop(souk, data, files, people)?;
    ensure!(figures.differences.is_empty(), "the books differ: {}", figures.differences[0]);
    Ok(figures)
}

/// Rebuilds all read models of a shop that isn't running.
pub(super) fn replay(souk: &Path, data: &Path) -> Result<Replay> {
    let output = Command::new(souk).args(["replay", "--all", "--json", "--data"]).arg(data).output()?;
    ensure!(output.status.success(), "souk replay: {}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout)?;
    let summary = printed.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    summary.with_context(|| format!("souk replay ends with no summary: {printed}"))
}
