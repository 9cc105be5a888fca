//! The read models that follow the log, from one start to the next.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_eventsourcing::projector::ReadModelStore;
use souk_eventsourcing::{Clock, EventStore, Filter, Page, Position};
use souk_query_api::Behind;
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{ModelOrder, PAGE_EVENTS_MAX, ProjectionStopped, Projections};
use crate::drivers::follow::{Follows, Log, follow};
use crate::drivers::parts::Part;

/// Rows of what is no longer wanted that are removed at once.
pub const TIDY_ROWS: u32 = 1_000;
/// The pause between two such steps.
const TIDY_EVERY: Duration = Duration::from_millis(50);
/// The time that a build as of a position is kept after somebody last asked for it.
const UNTIL_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The interval at which such builds are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// The progress of the read models, as others see it. It outlives a restart of the part.
pub struct Progress {
    /// The position that all models have reached.
    pub reached: watch::Sender<Position>,
    /// True once every model is built, so that queries may be answered.
    pub built: watch::Sender<bool>,
    /// The rows that stand behind.
    pub behind: watch::Sender<Arc<Behind>>,
    /// True while the read models follow the log.
    pub following: watch::Sender<bool>,
    /// Held until every model is built.
    pub building: Mutex<Option<File>>,
}

/// The engines that read models need.
#[derive(Clone)]
pub struct ReadModelPorts {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The store of rows.
    pub read_models: Arc<dyn ReadModelStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Requests of operators.
    pub orders: Arc<tokio::sync::Mutex<mpsc::Receiver<ModelOrder>>>,
    /// The progress, as others see it.
    pub progress: Arc<Progress>,
}

impl ReadModelPorts {
    /// Opens the read models of this program.
    pub async fn open(&self) -> Result<Projections, ProjectionStopped> {
        let (store, read_models) = (Arc::clone(&self.store), Arc::clone(&self.read_models));
        Projections::open(store, read_models, Arc::clone(&self.clock), souk_projections::all()).await
    }
}

/// Follows the log with open read models until `stop` flips.
pub async fn run(
    ports: ReadModelPorts,
    projections: Projections,
    part: Arc<Part>,
    stop: watch::Receiver<bool>,
) -> Result<(), ProjectionStopped> {
    let position = projections.position();
    let log = Log {
        store: Arc::clone(&ports.store),
        clock: Arc::clone(&ports.clock),
        filter: Filter::all(),
        page_events_max: PAGE_EVENTS_MAX,
    };
    // Of read models that were started again the earlier ones have ended.
    let orders = Arc::clone(&ports.orders).lock_owned().await;
    let progress = Arc::clone(&ports.progress);
    let following = Following {
        projections,
        orders,
        progress: Arc::clone(&progress),
        tidy: ticks(TIDY_EVERY),
        expiry: ticks(EXPIRE_EVERY),
        is_tidy: false,
    };
    progress.following.send_replace(true);
    let _follows = StopsFollowing(&progress);
    follow(following, log, position, &part, stop).await
}

/// Says at its end, also by a panic, that the read models follow the log no longer.
struct StopsFollowing<'a>(&'a Progress);

impl Drop for StopsFollowing<'_> {
    fn drop(&mut self) {
        self.0.following.send_replace(false);
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// One run.
struct Following {
    projections: Projections,
    orders: OwnedMutexGuard<mpsc::Receiver<ModelOrder>>,
    progress: Arc<Progress>,
    tidy: Interval,
    expiry: Interval,
    is_tidy: bool,
}

/// Work of the read models besides reading the log.
enum Work {
    Ordered(ModelOrder),
    Tidy,
    Expire,
}

#[async_trait]
impl Follows for Following {
    type Error = ProjectionStopped;
    type Work = Work;

    async fn take_in(&mut self, page: Page) -> Result<(), ProjectionStopped> {
        self.projections.apply_at_last(&page).await
    }

    async fn next_work(&mut self) -> Work {
        tokio::select! {
            Some(order) = self.orders.recv() => Work::Ordered(order),
            _ = self.tidy.tick(), if !self.is_tidy => Work::Tidy,
            _ = self.expiry.tick() => Work::Expire,
        }
    }

    async fn work(&mut self, work: Work) -> Result<(), ProjectionStopped> {
        match work {
            Work::Ordered(order) => {
                self.projections.carry_out(order).await;
                self.is_tidy = false;
            }
            Work::Tidy => self.is_tidy = !self.projections.tidied().await,
            Work::Expire => self.is_tidy &= !self.projections.expired().await,
        }
        Ok(())
    }

    async fn step(&mut self, _: Timestamp, is_live: bool) -> Result<(), ProjectionStopped> {
        if self.projections.is_building() && is_live {
            self.projections.show_built().await?;
            self.progress.building.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.is_tidy = false;
        }
        let Self { projections, progress, .. } = self;
        progress.behind.send_if_modified(|shown| projections.behind.show_in(shown));
        progress.reached.send_replace(projections.position());
        progress.built.send_replace(!projections.is_building());
        Ok(())
    }
}

impl Projections {
    /// Gives up the builds as of a position that nobody asked for in a long time; whether there were any.
    async fn expired(&self) -> bool {
        match self.read_models.expire(self.clock.now() - UNTIL_KEPT).await {
            Ok(expired) => expired > 0,
            Err(error) => {
                tracing::warn!(%error, "what is no longer wanted of read models stays for now");
                false
            }
        }
    }

    /// Removes some of what is no longer wanted; whether there is more. What fails is tried again after the
    /// next order or start.
    async fn tidied(&self) -> bool {
        let tidied = self.read_models.tidy(TIDY_ROWS).await;
        tidied.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is no longer wanted of read models stays for now");
            false
        })
    }
}
