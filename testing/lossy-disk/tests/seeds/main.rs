//! Tests of the `SQLite` adapters on a disk that loses, tears and refuses writes. Each seed makes one run.
//!
//! A run has several rounds. In each round, the test opens the log and the read models, appends events and
//! folds them, until a fault or a power cut stops it. The next round starts from the files that survived. It
//! checks that
//! - each acknowledged append is in the log once and at its position,
//! - each other append is in the log completely or not at all,
//! - the log has no damage,
//! - the read models match the log up to their checkpoint.
//!
//! If a run fails, the test prints its seed. `SOUK_SEED=17 cargo test -p souk-lossy-disk` repeats the run,
//! and `SOUK_SEEDS=10000` sets the number of runs. Appends are sent one after the other, and checkpoints of
//! the log happen only when it is opened or closed. So the same seed always repeats the same operations.

#![allow(clippy::unwrap_used, reason = "a panic is the failure message of a test")]

mod history;
mod models;
mod round;

use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use souk_eventsourcing::EventStore;
use souk_lossy_disk::{Disk, Faults};
use souk_sqlite_log::{Options, SqliteLog};
use tempfile::TempDir;

use history::History;

/// Default number of runs.
const SEEDS: u64 = 500;
/// Number of power cuts in a run.
const ROUNDS: usize = 4;
/// Highest number of an operation at which a fault can happen. Some rounds end earlier.
const OPERATIONS_MAX: u64 = 1_200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Returns the faults of a round.
fn some_faults(rng: &mut Rng) -> Faults {
    let mut at = || Some(rng.u64(1..OPERATIONS_MAX));
    let power_cut = at();
    let other = at();
    let mut faults = Faults::default();
    match rng.u8(..6) {
        0 => faults.full = other,
        1 => faults.failed_write = other,
        2 | 3 => faults.failed_sync = other,
        _ => {}
    }
    if rng.u8(..4) > 0 {
        faults.power_cut = power_cut;
    }
    faults
}

/// Makes one run. Returns the number of disk operations in each round, and the number of acknowledged events.
async fn run(seed: u64) -> (Vec<u64>, usize) {
    let mut rng = Rng::with_seed(seed);
    let mut history = History::default();
    let mut at = folder();
    let mut operations = Vec::new();
    for round in 0..=ROUNDS {
        let faults = if round == ROUNDS { Faults::default() } else { some_faults(&mut rng) };
        let disk = Disk::mount(at.path(), rng.u64(..), faults);
        round::run(at.path(), faults, &mut history, &mut rng).await;
        operations.push(disk.operations());
        at = folder_after_power_cut(&disk);
    }
    round::check(at.path(), &mut history).await;
    (operations, history.events())
}

/// Returns a temporary folder, in memory if possible, because that is faster.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(parent).unwrap()
}

/// Returns a new folder with the files that survive a power cut.
fn folder_after_power_cut(disk: &Disk) -> TempDir {
    let folder = folder();
    disk.write_survivors(folder.path()).unwrap();
    folder
}

// Proves: common.acknowledged-is-on-disk
#[test]
fn acknowledged_appends_survive_all_disk_faults() {
    let seeds = match number("SOUK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SOUK_SEEDS").unwrap_or(SEEDS),
    };
    let runs = seeds.end - seeds.start;
    let next = AtomicU64::new(seeds.start);
    let events = AtomicU64::new(0);
    let run_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match catch_unwind(|| block_on(run(seed))) {
                Ok((_, acknowledged)) => events.fetch_add(acknowledged as u64, Ordering::Relaxed),
                Err(panic) => {
                    eprintln!("seed {seed} failed: repeat it with SOUK_SEED={seed}");
                    next.store(seeds.end, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            };
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(run_some);
        }
    });
    let events = events.into_inner();
    println!("{runs} seeds, {events} events");
    // Runs that append almost nothing would pass too.
    assert!(events > runs * 20, "only {events} events in {runs} runs");
}

#[test]
fn the_same_seed_repeats_the_same_run() {
    let result = |seed| block_on(run(seed));
    assert_eq!(result(11), result(11));
    assert_ne!(result(11), result(12));
}

/// Sends large appends, so that checkpoints of the log run in parallel to its writer. The power is cut at an
/// operation of either. The threads decide which operation that is, so the seed does not repeat the run.
// Proves: common.acknowledged-is-on-disk
#[test]
fn acknowledged_appends_survive_a_power_cut_during_a_checkpoint() {
    for seed in 0..6 {
        let mut rng = Rng::with_seed(seed);
        let mut history = History::default();
        let folder = folder();
        let faults = Faults { power_cut: Some(rng.u64(9_000..16_000)), ..Faults::default() };
        let disk = Disk::mount(folder.path(), seed, faults);
        block_on(async {
            let log = SqliteLog::open(folder.path(), &Options::default()).unwrap();
            while history.append_large(&*log, &mut rng).await.is_ok() {
                assert!(log.head().await.unwrap().0 < 200, "the power was not cut");
            }
        });
        let survivors = folder_after_power_cut(&disk);
        block_on(round::check(survivors.path(), &mut history));
    }
}

/// Guards the tests above, because they prove nothing if the simulated disk never loses unsynced writes.
#[test]
fn a_database_without_syncs_loses_rows() {
    let surviving_rows = |synchronous: &str| {
        let folder = folder();
        let disk = Disk::mount(folder.path(), 7, Faults::default());
        let path = folder.path().join("plain.sqlite");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", synchronous).unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY)").unwrap();
        for row in 0..50 {
            connection.execute("INSERT INTO t VALUES (?1)", [row]).unwrap();
        }
        disk.cut_power();
        let survivors = folder_after_power_cut(&disk);
        drop(connection);
        count(&survivors.path().join("plain.sqlite"))
    };
    assert_eq!(surviving_rows("FULL"), 50);
    assert!(surviving_rows("NORMAL") < 50, "the simulated disk lost no rows");
}

fn count(path: &Path) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap_or(0)
}

type Log = Arc<SqliteLog>;
