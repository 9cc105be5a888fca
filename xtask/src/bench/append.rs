//! Benchmark of the log alone: one writer, 64 writers, large batches, and a long log.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use souk_eventsourcing::{Append, EventStore, Expected, StreamName};
use souk_sqlite_log::{Options, SqliteLog};
use tokio::runtime::Runtime;

use super::row::Row;
use super::{Bench, baseline, figure, median, sample_event};

/// Number of measurements of each rate, alternating with its baseline. The result is their median.
const ROUNDS: usize = 3;
/// Number of appends of the single writer.
const SINGLE_APPENDS: u64 = 1_500;
/// Number of concurrent writers.
const WRITERS: u64 = 64;
/// Number of events of all concurrent writers together.
const WRITERS_EVENTS: u64 = 96_000;
/// Number of events in a large batch.
const BATCH_EVENTS: u64 = 1_000;
/// Number of large batches.
const BATCHES: u64 = 100;
/// Length of the short log, in events.
const SHORT_LOG_EVENTS: u64 = 100_000;
/// Length of the long log, in events.
const LONG_LOG_EVENTS: u64 = 5_000_000;

/// Rates of the log, which are baselines of other rows.
#[derive(Clone, Copy)]
pub(super) struct LogRates {
    /// Median time of an append with sync to a plain file, in seconds.
    pub(super) sync_seconds: f64,
    /// Durable appends per second of one writer.
    pub(super) single: f64,
    /// Durable appends per second to a plain file.
    single_bare: f64,
    /// Events per second of 64 concurrent writers.
    pub(super) writers: f64,
    /// Rows per second of plain SQLite inserts, with [`WRITERS`] rows per commit.
    writers_bare: f64,
    /// Events per commit of the 64 concurrent writers.
    events_per_commit: f64,
    /// Events per second in large batches.
    batches: f64,
    /// Rows per second of plain SQLite inserts, with [`BATCH_EVENTS`] rows per commit.
    batches_bare: f64,
}

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let rates = bench.log_rates()?;
    let sync = format!("fdatasync {:.2} ms", rates.sync_seconds * 1_000.0);
    let commits = format!("{:.0} events per commit", rates.events_per_commit);
    let mut rows = vec![
        Row::at_least("durable appends, one after another", "/s", rates.single, rates.single_bare, 0.6)
            .note(sync),
        Row::at_least("64 writers, one event each", "/s", rates.writers, rates.writers_bare, 0.7)
            .note(commits),
        Row::at_least("batches of 1,000", "/s", rates.batches, rates.batches_bare, 0.8),
    ];
    if bench.long {
        let (short, long) = short_and_long(&bench.folder("long-log")?)?;
        rows.push(Row::at_least(
            "64 writers with 5 M events in the log, compared with 100 k",
            "/s",
            long,
            short,
            0.8,
        ));
    }
    Ok(rows)
}

/// Measures every rate, alternating with its baseline.
pub(super) fn measure(bench: &Bench) -> Result<LogRates> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut sync = Vec::new();
    let mut single = Vec::new();
    let mut single_bare = Vec::new();
    let mut writers = Vec::new();
    let mut writers_bare = Vec::new();
    let mut events_per_commit = Vec::new();
    let mut batches = Vec::new();
    let mut batches_bare = Vec::new();
    for _ in 0..ROUNDS {
        let bare = baseline::append_and_sync(&bench.folder("bare")?)?;
        sync.push(bare.seconds);
        single_bare.push(bare.per_second);
        let log = open(&bench.folder("single")?)?;
        single.push(runtime.block_on(one_writer(&log))?);
        drop(log);

        writers_bare.push(baseline::sqlite_inserts(&bench.folder("bare")?, WRITERS_EVENTS, WRITERS)?);
        let log = open(&bench.folder("writers")?)?;
        writers.push(many_writers(&runtime, &log, 0)?);
        let counters = log.counters();
        events_per_commit.push(figure(counters.events) / figure(counters.commits));
        drop(log);

        let rows = BATCHES * BATCH_EVENTS;
        batches_bare.push(baseline::sqlite_inserts(&bench.folder("bare")?, rows, BATCH_EVENTS)?);
        let log = open(&bench.folder("batches")?)?;
        batches.push(runtime.block_on(large_batches(&log, 0, BATCHES))?);
    }
    Ok(LogRates {
        sync_seconds: median(sync),
        single: median(single),
        single_bare: median(single_bare),
        writers: median(writers),
        writers_bare: median(writers_bare),
        events_per_commit: median(events_per_commit),
        batches: median(batches),
        batches_bare: median(batches_bare),
    })
}

fn open(folder: &Path) -> Result<Arc<SqliteLog>> {
    SqliteLog::open(folder, &Options::default()).context("the log can't be opened")
}

fn append_of(number: u64) -> Append {
    let stream = sample_event::stream(number);
    let events = vec![sample_event::event(number, &stream)];
    Append { stream, expected: Expected::Any, events }
}

async fn one_writer(log: &SqliteLog) -> Result<f64> {
    let appends: Vec<Append> = (0..SINGLE_APPENDS).map(append_of).collect();
    let started = Instant::now();
    for append in appends {
        log.append(append).await?;
    }
    Ok(figure(SINGLE_APPENDS) / started.elapsed().as_secs_f64())
}

/// Measures concurrent writers. Each appends one event, waits for its commit, and appends the next. `first`
/// is the number of the first event. Returns events per second.
fn many_writers(runtime: &Runtime, log: &Arc<SqliteLog>, first: u64) -> Result<f64> {
    let each = WRITERS_EVENTS / WRITERS;
    let appends_of =
        |writer: u64| (0..each).map(|n| append_of(first + n * WRITERS + writer)).collect::<Vec<_>>();
    let of_writers: Vec<Vec<Append>> = (0..WRITERS).map(appends_of).collect();
    let started = Instant::now();
    let writers: Vec<_> = of_writers
        .into_iter()
        .map(|appends| {
            let log = Arc::clone(log);
            runtime.spawn(async move {
                for append in appends {
                    log.append(append).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for writer in writers {
        runtime.block_on(writer)??;
    }
    Ok(figure(each * WRITERS) / started.elapsed().as_secs_f64())
}

/// Appends large batches, each to its own stream. `first` is the number of the first event. Returns events
/// per second.
async fn large_batches(log: &SqliteLog, first: u64, batches: u64) -> Result<f64> {
    let batch_of = |batch: u64| {
        let number = first + batch * BATCH_EVENTS;
        let stream = StreamName::new("batch", &number.to_string());
        let events =
            (number..number + BATCH_EVENTS).map(|number| sample_event::event(number, &stream)).collect();
        Append { stream, expected: Expected::NoStream, events }
    };
    let mut seconds = 0.0;
    for batch in 0..batches {
        let append = batch_of(batch);
        let started = Instant::now();
        log.append(append).await?;
        seconds += started.elapsed().as_secs_f64();
    }
    Ok(figure(batches * BATCH_EVENTS) / seconds)
}

/// Measures the rate of 64 writers on a short log, and on the same log after it has become long.
fn short_and_long(folder: &Path) -> Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let log = open(folder)?;
    runtime.block_on(large_batches(&log, 0, SHORT_LOG_EVENTS / BATCH_EVENTS))?;
    let short = many_writers(&runtime, &log, SHORT_LOG_EVENTS)?;
    let events_so_far = SHORT_LOG_EVENTS + WRITERS_EVENTS;
    runtime.block_on(large_batches(&log, events_so_far, (LONG_LOG_EVENTS - events_so_far) / BATCH_EVENTS))?;
    let long = many_writers(&runtime, &log, LONG_LOG_EVENTS)?;
    Ok((short, long))
}
