//! The `SQLite` adapters over a disk that loses, tears and refuses, one seed a run.
//!
//! A run is a few rounds, each until the power goes: the log and the read models are opened, appended to,
//! folded, and at some operation of the disk something fails. The next round begins from what is on the
//! platter. Then every answered append is there, once and in its place; an unanswered one is there whole or
//! not at all; the log is sound; and the read models are what the log says up to their checkpoint.
//!
//! A run that fails says its seed: `SOUK_SEED=17 cargo test -p souk-lossy-disk` repeats it,
//! `SOUK_SEEDS=10000` makes more. Appends come one after the other and checkpoints of the log where it is
//! opened and closed, so that a seed repeats its run operation by operation.

#![allow(clippy::unwrap_used, reason = "a run that can't go on says where")]

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

/// Seeds of a test run.
const SEEDS: u64 = 500;
/// How often the power goes in a run.
const ROUNDS: usize = 4;
/// The last operation of a round at which something may fail; some rounds end before.
const OPERATIONS_MAX: u64 = 1_200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What fails in a round.
fn some_faults(rng: &mut Rng) -> Faults {
    let mut at = || Some(rng.u64(1..OPERATIONS_MAX));
    let (power_cut, other) = (at(), at());
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

/// One run; tells what its disks did and how many events there were in the end.
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
        at = after_the_cut(&disk);
    }
    round::check(at.path(), &mut history).await;
    (operations, history.events())
}

/// A folder in memory where there is one: what is made here is thrown away, and filling a file with zeros
/// takes a disk's time.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(parent).unwrap()
}

/// What is found after the power went.
fn after_the_cut(disk: &Disk) -> TempDir {
    let folder = folder();
    disk.write_survivors(folder.path()).unwrap();
    folder
}

#[test]
fn whatever_the_disk_does_what_was_answered_is_there() {
    let seeds = match number("SOUK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SOUK_SEEDS").unwrap_or(SEEDS),
    };
    let runs = seeds.end - seeds.start;
    let (next, events) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let run_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match catch_unwind(|| block_on(run(seed))) {
                Ok((_, made)) => events.fetch_add(made as u64, Ordering::Relaxed),
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
    // Runs that never get anywhere would pass too.
    assert!(events > runs * 20, "only {events} events in {runs} runs");
}

#[test]
fn a_seed_repeats_its_run() {
    let told = |seed| block_on(run(seed));
    assert_eq!(told(11), told(11));
    assert_ne!(told(11), told(12));
}

/// Large appends, so that the log's checkpoints run beside its writer: what falls where is up to threads
/// here, and the power goes at any operation of either.
#[test]
fn the_power_goes_while_a_checkpoint_runs_beside_the_writer() {
    for seed in 0..6 {
        let mut rng = Rng::with_seed(seed);
        let mut history = History::default();
        let folder = folder();
        let faults = Faults { power_cut: Some(rng.u64(9_000..16_000)), ..Faults::default() };
        let disk = Disk::mount(folder.path(), seed, faults);
        block_on(async {
            let log = SqliteLog::open(folder.path(), &Options::default()).unwrap();
            while history.append_large(&*log, &mut rng).await.is_ok() {
                assert!(log.head().await.unwrap().0 < 200, "the power never goes");
            }
        });
        let left = after_the_cut(&disk);
        block_on(round::check(left.path(), &mut history));
    }
}

/// The disk itself is worth something only if it loses what was not synced.
#[test]
fn a_database_that_is_not_synced_loses_rows() {
    let rows_left = |synchronous: &str| {
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
        let left = after_the_cut(&disk);
        drop(connection);
        count(&left.path().join("plain.sqlite"))
    };
    assert_eq!(rows_left("FULL"), 50);
    assert!(rows_left("NORMAL") < 50, "a disk that keeps everything proves nothing");
}

fn count(path: &Path) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap_or(0)
}

/// For those who hold a log beside a history.
type Log = Arc<SqliteLog>;
