//! From switching on until the power goes.

use std::path::Path;

use fastrand::Rng;
use souk_eventsourcing::{EventStore, Filter, Position, RecordedEvent};
use souk_lossy_disk::Faults;
use souk_sqlite_log::{OpenError, Options, SqliteLog, verify};
use souk_sqlite_read_models::{SqliteReadModels, Tuning};

use crate::Log;
use crate::history::History;
use crate::models::Models;

/// Appends of a round, when nothing ends it before.
const APPENDS_MAX: u32 = 40;

/// Opens what is there, works until something fails or enough was done, and sometimes closes in order.
pub(crate) async fn run(folder: &Path, faults: Faults, history: &mut History, rng: &mut Rng) {
    let log = match SqliteLog::open(folder, &Options::default()) {
        Ok(log) => log,
        Err(OpenError::Damaged { what, .. }) => panic!("no damage is to be seen before a fault: {what}"),
        Err(refused) => return assert_is_faulty(faults, &refused.to_string()),
    };
    history.check(&everything(&log).await);
    let mut models = match open_models(folder, &log).await {
        Ok(models) => models,
        Err(refused) => return assert_is_faulty(faults, &refused),
    };
    models.check(&everything(&log).await).await;
    for _ in 0..rng.u32(1..APPENDS_MAX) {
        let appended = history.append(&*log, rng).await;
        if appended.is_err() {
            // Writing is over, and reading goes on: nothing is seen that was not answered.
            assert_is_faulty(faults, "an append fails");
            assert_eq!(everything(&log).await.len() as u64, log.head().await.unwrap().0);
            break;
        }
        if rng.bool()
            && let Err(error) = models.fold(&log).await
        {
            assert_is_faulty(faults, &error.to_string());
            break;
        }
    }
}

/// What is there holds, and takes more.
pub(crate) async fn check(folder: &Path, history: &mut History) {
    let log = SqliteLog::open(folder, &Options::default()).unwrap();
    history.check(&everything(&log).await);
    let mut models = open_models(folder, &log).await.unwrap();
    while models.checkpoint() < log.head().await.unwrap() {
        models.fold(&log).await.unwrap();
    }
    models.check(&everything(&log).await).await;
    let report = verify(folder, &mut |_, _| ()).unwrap();
    assert_eq!(report.problems_found, 0, "{report:?}");
}

async fn open_models(folder: &Path, log: &Log) -> Result<Models, String> {
    let store =
        SqliteReadModels::open(folder, log.id(), Tuning::SERVING).map_err(|error| error.to_string())?;
    Models::open(store).await.map_err(|error| error.to_string())
}

async fn everything(log: &Log) -> Vec<RecordedEvent> {
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

fn assert_is_faulty(faults: Faults, what: &str) {
    let Faults { power_cut, full, failed_write, failed_sync } = faults;
    let any = [power_cut, full, failed_write, failed_sync].iter().any(Option::is_some);
    assert!(any, "nothing was to fail: {what}");
}
