//! Benchmark of maintenance: checkouts during a rebuild and with a parked order, the delay of reads after a
//! write, a command to a long stream, and the comparison of two builds.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::parking::ParkingChange;
use souk_eventsourcing::projector::{
    Build, Column, ColumnType, Model, ModelChange, Purpose, ReadModelStore, RowChange, Value,
};
use souk_eventsourcing::{Actor, Append, CorrelationId, EventStore, Expected, Position, StreamName};
use souk_sqlite_log::{Options, SqliteLog};
use souk_sqlite_read_models::{Pair, READ_MODELS_FILE, Snapshot, SqliteReadModels, Tuning, compare};
use uuid::Uuid;

use crate::shop::Call;

use super::load::Load;
use super::open_shop::{OpenShop, order_of, sku};
use super::row::Row;
use super::{Bench, client_runtime, figure, median, month};

/// Number of products: enough that clients seldom order the same product.
const SKUS: usize = 200;
/// Stock of each product, which never runs out.
const UNITS: u32 = 1_000_000;
/// Number of concurrent clients.
const CLIENTS: usize = 32;
/// Number of checkouts per client in one load.
const CHECKOUTS_EACH: usize = 120;
/// Number of measurements with and without the measured work, alternating.
const TURNS: usize = 5;
/// Number of events in the long stream.
const LONG_STREAM_EVENTS: usize = 10_000;
/// Number of events in the short stream.
const SHORT_STREAM_EVENTS: usize = 10;
/// Number of commands to each of the two streams.
const COMMANDS: usize = 300;
/// Number of rows of each of the two compared builds.
const COMPARED_ROWS: u64 = 1_000_000;
/// Number of rows per commit.
const ROWS_PER_COMMIT: u64 = 20_000;

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let described = month::trade_once(bench)?.described;
    let mut rows = client_runtime()?.block_on(async {
        let mut rows = vec![during_a_rebuild(bench, &described).await?];
        rows.push(with_a_parked_order(bench).await?);
        let shop = OpenShop::open(bench, "upkeep").await?;
        shop.stock(SKUS, UNITS).await?;
        rows.push(lag(&shop).await?);
        rows.push(a_long_stream(&shop).await?);
        shop.close()?;
        anyhow::Ok(rows)
    })?;
    rows.push(a_comparison(bench)?);
    Ok(rows)
}

async fn trade(shop: &OpenShop) -> Result<f64> {
    let load = Load::run(shop, CLIENTS, CHECKOUTS_EACH, |client, n| shop.check_out((client * 7 + n) % SKUS));
    let rate = load.await?.per_second;
    shop.quiet().await?;
    Ok(rate)
}

/// Measures checkouts during a rebuild, in a shop with a month of orders to rebuild.
async fn during_a_rebuild(bench: &mut Bench, described: &str) -> Result<Row> {
    let souk = bench.souk()?;
    let data = bench.scratch().join("month/shop");
    let shop = OpenShop::in_folder(bench, &data).await?;
    shop.stock(SKUS, UNITS).await?;
    trade(&shop).await?;
    let mut alone = Vec::new();
    let mut during = Vec::new();
    let mut rebuilds = 0;
    for _ in 0..TURNS {
        alone.push(trade(&shop).await?);
        let is_enough = Arc::new(AtomicBool::new(false));
        let rebuilding = std::thread::spawn({
            let souk = souk.clone();
            let data = data.clone();
            let is_enough = Arc::clone(&is_enough);
            move || rebuild_until(&souk, &data, &is_enough)
        });
        during.push(trade(&shop).await?);
        is_enough.store(true, Ordering::Relaxed);
        rebuilds += rebuilding.join().expect("a rebuild does not panic")?;
    }
    shop.close()?;
    let alone = median(alone);
    let during = median(during);
    let note = format!("{described}; {rebuilds} rebuilds started");
    Ok(Row::at_least("checkouts during a rebuild, compared with none", "/s", during, alone, 0.8).note(note))
}

/// Rebuilds all read models again and again until `is_enough`. Returns the number of started rebuilds.
fn rebuild_until(souk: &Path, data: &Path, is_enough: &AtomicBool) -> Result<u32> {
    let mut rebuilds = 0;
    while !is_enough.load(Ordering::Relaxed) {
        rebuilds += 1;
        let mut command = Command::new(souk);
        command.args(["replay", "--all", "--restart", "--json", "--data"]).arg(data);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if is_enough.load(Ordering::Relaxed) {
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        ensure!(status.success() || is_enough.load(Ordering::Relaxed), "souk replay ended with {status}");
    }
    Ok(rebuilds)
}

/// Measures checkouts in two shops with the same load, alternating. In one shop, an order has an unreadable
/// event.
async fn with_a_parked_order(bench: &mut Bench) -> Result<Row> {
    let data = bench.folder("parked")?;
    let sound = OpenShop::in_folder(bench, &data.join("sound")).await?;
    let shop = OpenShop::in_folder(bench, &data.join("shop")).await?;
    for shop in [&sound, &shop] {
        shop.stock(SKUS, UNITS).await?;
        trade(shop).await?;
    }
    let response = shop.client.send(Call::post("/api/orders", &order_of(0)).wait_s(30)).await?;
    let order = response.success("checkout")?.text("/id")?.to_owned();
    shop.close()?;
    append_unreadable_event(&data.join("shop"), &order).await?;
    let shop = OpenShop::in_folder(bench, &data.join("shop")).await?;
    let parked = shop.client.send(Call::get("/api/admin/parked")).await?.success("parked")?;
    ensure!(!parked.body["items"].as_array().is_none_or(Vec::is_empty), "nothing is parked");
    let mut without = Vec::new();
    let mut with = Vec::new();
    for _ in 0..TURNS {
        without.push(trade(&sound).await?);
        with.push(trade(&shop).await?);
    }
    sound.close()?;
    shop.close()?;
    let without = median(without);
    let with = median(with);
    Ok(Row::at_least("checkouts with a parked order, compared with none", "/s", with, without, 0.9))
}

async fn append_unreadable_event(data: &Path, order: &str) -> Result<()> {
    let log = SqliteLog::open(data, &Options::default())?;
    let stream = StreamName::new("order", order);
    let command = Uuid::from_u128(1);
    let origin = Origin::new(command, Actor::new("bench", "x"), CorrelationId::from(command));
    let data = Bytes::from_static(b"{\"carrier\":5}");
    let event = origin.raw_envelope(&stream, 0, "order.shipped", 1, data, Timestamp::UNIX_EPOCH);
    log.append(Append { stream, expected: Expected::Any, events: vec![event] }).await?;
    Ok(())
}

/// Measures the time from the response to a write until a read shows the write.
async fn lag(shop: &OpenShop) -> Result<Row> {
    let waited_ms = std::sync::Mutex::new(Vec::with_capacity(CLIENTS * CHECKOUTS_EACH));
    let load = Load::run(shop, CLIENTS, CHECKOUTS_EACH, |client, n| {
        let waited_ms = &waited_ms;
        async move {
            let number = (client * 7 + n) % SKUS;
            let call = Call::post("/api/orders", &order_of(number)).wait_s(30);
            let response = shop.client.send(call).await?.success("checkout")?;
            let position = response.text("/position")?.parse()?;
            let path = format!("/api/inventory/stock/{}", sku(number));
            let started = Instant::now();
            shop.client.send(Call::get(&path).min_position(position).wait_s(10)).await?.success("stock")?;
            let waited = started.elapsed().as_secs_f64() * 1e3;
            waited_ms.lock().expect("no task panics while it holds the lock").push(waited);
            Ok(())
        }
    });
    let load = load.await?;
    let mut waited_ms = waited_ms.into_inner().expect("no task panicked while it held the lock");
    waited_ms.sort_by(f64::total_cmp);
    let p99 = waited_ms[waited_ms.len() * 99 / 100];
    let note = format!("median {:.1} ms; {}", waited_ms[waited_ms.len() / 2], load.describe());
    Ok(Row::at_most("32 clients: wait until a write can be read, p99", "ms", p99, 50.0).note(note))
}

/// Compares commands to a long and to a short stream. The commands change nothing, so their time is that of
/// loading and deciding.
async fn a_long_stream(shop: &OpenShop) -> Result<Row> {
    let adjust = |number: usize, events: usize| async move {
        let call = |n: usize| async move {
            // The count alternates, so that each command changes it.
            let count = json!({ "sku": sku(number), "onHand": UNITS as usize + n % 2 + 1 });
            shop.client.send(Call::post("/api/inventory/stock", &count)).await?.success("count").map(drop)
        };
        for n in 0..events {
            call(n).await?;
        }
        anyhow::Ok(())
    };
    adjust(0, LONG_STREAM_EVENTS).await?;
    adjust(1, SHORT_STREAM_EVENTS).await?;
    let mut long_ms = Vec::new();
    let mut short_ms = Vec::new();
    for _ in 0..COMMANDS {
        for (number, took) in [(0, &mut long_ms), (1, &mut short_ms)] {
            let count = json!({ "sku": sku(number), "onHand": UNITS + 2 });
            let started = Instant::now();
            shop.client.send(Call::post("/api/inventory/stock", &count)).await?.success("count")?;
            took.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let long = median(long_ms);
    let short = median(short_ms);
    let name = "a command to a stream of 10,000 events, compared with 10";
    Ok(Row::at_most_times(name, "ms", long, short, 1.2).note(format!("median of {COMMANDS}, alternating")))
}

static COMPARED: Model = Model {
    name: "compared",
    version: 1,
    columns: &[Column { name: "size", column_type: ColumnType::Integer }],
    indexes: &[],
    sums: &[],
};

/// Measures the comparison of two builds with equal rows, relative to a plain loop that reads both.
fn a_comparison(bench: &mut Bench) -> Result<Row> {
    let folder = bench.folder("comparison")?;
    let (live, next) = client_runtime()?.block_on(fill(&folder))?;
    let mut compared = Vec::new();
    let mut bare = Vec::new();
    for _ in 0..TURNS {
        bare.push(read_both(&folder)?);
        let started = Instant::now();
        let side = Snapshot::open(&folder)?;
        let other = Snapshot::open(&folder)?;
        let pair = Pair { left: live, left_version: COMPARED.version, right: next };
        let found = compare(&side, &other, &[pair], &mut |_, _| ())?;
        compared.push(started.elapsed().as_secs_f64());
        ensure!((found.rows, found.different) == (COMPARED_ROWS, 0), "{found:?}");
    }
    let compared = median(compared);
    let bare = median(bare);
    let name = "comparing 1 M rows, relative to only reading them";
    Ok(Row::at_most_times(name, "s", compared, bare, 1.5))
}

async fn fill(folder: &Path) -> Result<(Build, Build)> {
    let models = SqliteReadModels::open(folder, Uuid::nil(), Tuning::REBUILDING)?;
    let opened = ReadModelStore::open(&*models, &[&COMPARED]).await?;
    let live = opened.first().context("a model has a build")?.build;
    let next = models.begin(&COMPARED, Purpose::Next, Timestamp::UNIX_EPOCH).await?.build;
    for first in (0..COMPARED_ROWS).step_by(usize::try_from(ROWS_PER_COMMIT)?) {
        let rows = (first..first + ROWS_PER_COMMIT).map(|number| {
            let size = i64::try_from(number).unwrap_or(i64::MAX);
            let document = format!("{{\"name\":\"Lantern {number}\",\"size\":{size},\"colour\":\"white\"}}");
            let content = Some((document.into_bytes(), vec![Value::Integer(size)]));
            RowChange { key: format!("{number:08}"), content }
        });
        let rows: Vec<RowChange> = rows.collect();
        let change = |build| ModelChange {
            build,
            rows: rows.clone(),
            sums: Vec::new(),
            parking: ParkingChange::default(),
            from: Position(first),
            checkpoint: Position(first + ROWS_PER_COMMIT),
        };
        models.commit(vec![change(live), change(next)]).await?;
    }
    Ok((live, next))
}

/// Reads both tables in a plain loop by key, and returns the time in seconds.
fn read_both(folder: &Path) -> Result<f64> {
    let connection = rusqlite::Connection::open(folder.join(READ_MODELS_FILE))?;
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'compared%'";
    let tables: Vec<String> =
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    ensure!(tables.len() == 2, "expected the tables of two builds, found {tables:?}");
    let started = Instant::now();
    let mut bytes = 0;
    for table in tables {
        let sql = format!("SELECT key, doc, size FROM \"{table}\" ORDER BY key");
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            bytes += row.get_ref(0)?.as_str()?.len() + row.get_ref(1)?.as_blob()?.len();
        }
    }
    ensure!(figure(bytes as u64) > 0.0, "the tables are empty");
    Ok(started.elapsed().as_secs_f64())
}
