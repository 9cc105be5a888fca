//! One round of a run: it opens the files that the previous round left, works on them, and stops at a fault
//! or at the planned end.

use std::path::Path;

use fastrand::Rng;
use souk_eventsourcing::{EventStore, Filter, Position, RecordedEvent};
use souk_lossy_disk::Faults;
use souk_sqlite_log::{OpenError, Options, SqliteLog, verify};
use souk_sqlite_read_models::{SqliteReadModels, Tuning};

use crate::Log;
use crate::history::History;
use crate::models::Models;

/// Maximum number of appends in a round.
const APPENDS_MAX: u32 = 40;

/// Opens the log and the read models in a folder, checks them, then appends events and applies them to the
/// read model, until a fault or the planned end of the round.
pub(crate) async fn run(folder: &Path, faults: Faults, history: &mut History, rng: &mut Rng) {
    let log = match SqliteLog::open(folder, &Options::default()) {
        Ok(log) => log,
        Err(OpenError::Damaged { what, .. }) => {
            panic!("the log is damaged, which no planned fault may cause: {what}")
        }
        Err(error) => return assert_has_faults(faults, &error.to_string()),
    };
    history.check(&all_events(&log).await);
    let mut models = match open_models(folder, &log).await {
        Ok(models) => models,
        Err(error) => return assert_has_faults(faults, &error),
    };
    models.check(&all_events(&log).await).await;
    for _ in 0..rng.u32(1..APPENDS_MAX) {
        let appended = history.append(&*log, rng).await;
        if appended.is_err() {
            // The log accepts no more appends, but reads still work and show only acknowledged events.
            assert_has_faults(faults, "an append fails");
            assert_eq!(all_events(&log).await.len() as u64, log.head().await.unwrap().0);
            break;
        }
        if rng.bool()
            && let Err(error) = models.fold(&log).await
        {
            assert_has_faults(faults, &error.to_string());
            break;
        }
    }
}

/// Checks the log and the read models in a folder, without faults.
pub(crate) async fn check(folder: &Path, history: &mut History) {
    let log = SqliteLog::open(folder, &Options::default()).unwrap();
    history.check(&all_events(&log).await);
    let mut models = open_models(folder, &log).await.unwrap();
    while models.checkpoint() < log.head().await.unwrap() {
        models.fold(&log).await.unwrap();
    }
    models.check(&all_events(&log).await).await;
    let report = verify(folder, &mut |_, _| ()).unwrap();
    assert_eq!(report.problems_found, 0, "{report:?}");
}

async fn open_models(folder: &Path, log: &Log) -> Result<Models, String> {
    let store =
        SqliteReadModels::open(folder, log.id(), Tuning::SERVING).map_err(|error| error.to_string())?;
    Models::open(store).await.map_err(|error| error.to_string())
}

async fn all_events(log: &Log) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    loop {
        let after = Position(events.len() as u64);
        let page = log.read_all(after, 1_000, &Filter::all()).await.unwrap();
        if page.events.is_empty() {
            return events;
        }
        events.extend(page.events);
    }
}

fn assert_has_faults(faults: Faults, error: &str) {
    let Faults { power_cut, full, failed_write, failed_sync } = faults;
    let any = [power_cut, full, failed_write, failed_sync].iter().any(Option::is_some);
    assert!(any, "an operation failed without a planned fault: {error}");
}
