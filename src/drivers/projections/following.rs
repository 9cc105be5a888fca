//! Consumer of the log that keeps the read models up to date while the shop runs.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_eventsourcing::{Filter, Page, Position};
use souk_query_api::ParkedEntities;
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{ModelRequest, PAGE_EVENTS_MAX, ProjectionStopped, Projections, SharedReadModels};
use crate::clock::SharedClock;
use crate::drivers::SharedStore;
use crate::drivers::follow::{LogConsumer, LogSource, follow};
use crate::drivers::parts::Part;

/// Maximum number of rows of removed builds that one step deletes.
pub const TIDY_ROWS: u32 = 1_000;
/// Pause between two such steps.
const TIDY_EVERY: Duration = Duration::from_millis(50);
/// Time after which an unused build of `souk replay --until` is removed.
const UNTIL_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Interval of the search for such builds.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// Progress of the read models, for other parts. It outlives a restart of the part.
pub struct Progress {
    /// Position that all read models have reached.
    pub reached: watch::Sender<Position>,
    /// True after every read model is built. Only then queries are possible.
    pub built: watch::Sender<bool>,
    /// Parked entities, whose rows lack events.
    pub parked: watch::Sender<Arc<ParkedEntities>>,
    /// True while the read models follow the log.
    pub following: watch::Sender<bool>,
    /// Lock against rebuilds by other processes. It is kept until every read model is built.
    pub building: Mutex<Option<File>>,
}

/// Engines and channels that the read models need.
#[derive(Clone)]
pub struct ReadModelPorts {
    /// Store that contains the log.
    pub store: SharedStore,
    /// Store for the rows of read models.
    pub read_models: SharedReadModels,
    /// Source of the current time.
    pub clock: SharedClock,
    /// Channel with the requests of operators.
    pub requests: Arc<tokio::sync::Mutex<mpsc::Receiver<ModelRequest>>>,
    /// Progress of the read models, for other parts.
    pub progress: Arc<Progress>,
}

impl ReadModelPorts {
    /// Opens the read models of this program.
    pub async fn open(&self) -> Result<Projections, ProjectionStopped> {
        let store = Arc::clone(&self.store);
        let read_models = Arc::clone(&self.read_models);
        Projections::open(store, read_models, Arc::clone(&self.clock), souk_projections::all()).await
    }
}

/// Keeps open read models up to date until `stop` becomes true.
pub async fn run(
    ports: ReadModelPorts,
    projections: Projections,
    part: Arc<Part>,
    stop: watch::Receiver<bool>,
) -> Result<(), ProjectionStopped> {
    let position = projections.position();
    let log = LogSource {
        store: Arc::clone(&ports.store),
        clock: Arc::clone(&ports.clock),
        filter: Filter::all(),
        page_events_max: PAGE_EVENTS_MAX,
    };
    // The lock is free: an earlier run of the part has ended.
    let requests = Arc::clone(&ports.requests).lock_owned().await;
    let progress = Arc::clone(&ports.progress);
    let following = Following {
        projections,
        requests,
        progress: Arc::clone(&progress),
        tidy: ticks(TIDY_EVERY),
        expiry: ticks(EXPIRE_EVERY),
        is_tidy: false,
    };
    progress.following.send_replace(true);
    let _guard = FollowingGuard(&progress);
    follow(following, log, position, &part, stop).await
}

/// Guard that reports when the read models no longer follow the log, also after a panic.
struct FollowingGuard<'a>(&'a Progress);

impl Drop for FollowingGuard<'_> {
    fn drop(&mut self) {
        self.0.following.send_replace(false);
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// One run of the consumer.
struct Following {
    projections: Projections,
    requests: OwnedMutexGuard<mpsc::Receiver<ModelRequest>>,
    progress: Arc<Progress>,
    tidy: Interval,
    expiry: Interval,
    is_tidy: bool,
}

/// Work of the read models besides reading the log.
enum Work {
    Requested(ModelRequest),
    Tidy,
    Expire,
}

#[async_trait]
impl LogConsumer for Following {
    type Error = ProjectionStopped;
    type Work = Work;

    async fn handle_page(&mut self, page: Page) -> Result<(), ProjectionStopped> {
        self.projections.apply_when_free(&page).await
    }

    async fn next_work(&mut self) -> Work {
        tokio::select! {
            Some(request) = self.requests.recv() => Work::Requested(request),
            _ = self.tidy.tick(), if !self.is_tidy => Work::Tidy,
            _ = self.expiry.tick() => Work::Expire,
        }
    }

    async fn work(&mut self, work: Work) -> Result<(), ProjectionStopped> {
        match work {
            Work::Requested(request) => {
                self.projections.carry_out(request).await;
                self.is_tidy = false;
            }
            Work::Tidy => self.is_tidy = !self.projections.tidy().await,
            Work::Expire => self.is_tidy &= !self.projections.expire().await,
        }
        Ok(())
    }

    async fn step(&mut self, _: Timestamp, is_live: bool) -> Result<(), ProjectionStopped> {
        if self.projections.is_building() && is_live {
            self.projections.switch_to_new_builds().await?;
            self.progress.building.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.is_tidy = false;
        }
        let Self { projections, progress, .. } = self;
        progress.parked.send_if_modified(|shown| projections.parked.copy_if_changed(shown));
        progress.reached.send_replace(projections.position());
        progress.built.send_replace(!projections.is_building());
        Ok(())
    }
}

impl Projections {
    /// Removes the builds of `souk replay --until` that were not used for a long time. Returns true if there
    /// were any.
    async fn expire(&self) -> bool {
        match self.read_models.expire(self.clock.now() - UNTIL_KEPT).await {
            Ok(expired) => expired > 0,
            Err(error) => {
                tracing::warn!(%error, "old builds of read models could not be removed; a later step tries again");
                false
            }
        }
    }

    /// Deletes some rows of removed builds. Returns true if there are more. After a failure, the next request
    /// of an operator or the next start tries again.
    async fn tidy(&self) -> bool {
        let tidied = self.read_models.tidy(TIDY_ROWS).await;
        tidied.unwrap_or_else(|error| {
            tracing::warn!(%error, "old builds of read models could not be removed; a later step tries again");
            false
        })
    }
}
