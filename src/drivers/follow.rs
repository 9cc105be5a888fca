//! The loop of everything that follows the log: processes, read models, settled orders.
//!
//! One read is kept under way, and is never dropped because something else was ready. What is read is taken
//! in before the next read begins. When the log's engine fails, the loop waits and goes on; when the follower
//! itself fails, the loop ends with the reason, and the supervisor starts the part again.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_eventsourcing::follower::Follower;
use souk_eventsourcing::{Clock, EventStore, Filter, Page, Position, StoreError, Subscription};
use tokio::sync::watch;

use super::parts::{Part, until_told};

/// The longest sleep towards a timer: the clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Something that follows the log.
#[async_trait]
pub trait Follows: Send {
    /// The reason why it can't go on.
    type Error: From<StoreError> + std::fmt::Display;
    /// Work of its own, besides reading the log.
    type Work: Send;

    /// Takes a page in.
    async fn take_in(&mut self, page: Page) -> Result<(), Self::Error>;

    /// Waits for work of its own. Dropping the future loses nothing.
    async fn next_work(&mut self) -> Self::Work;

    /// Does such work.
    async fn work(&mut self, work: Self::Work) -> Result<(), Self::Error>;

    /// Does what is to be done now, after a page, work or a timer. `is_live` says whether all was read that
    /// was in the log at the start.
    async fn step(&mut self, now: Timestamp, is_live: bool) -> Result<(), Self::Error>;

    /// Returns the time of the next timer, which counts only once the follower is live.
    fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    /// The shop stops.
    async fn stop(&mut self) {}
}

/// The log, as the loop reads it.
pub struct Log {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The events that the follower wants.
    pub filter: Filter,
    /// Events looked at in one read.
    pub page_events_max: usize,
}

/// A read that is under way; it gives the subscription back.
type Reading = Pin<Box<dyn Future<Output = (Subscription, Result<Page, StoreError>)> + Send>>;

/// Follows the log from `position` until `stop` flips.
pub async fn follow<F: Follows>(
    mut follows: F,
    log: Log,
    position: Position,
    part: &Part,
    mut stop: watch::Receiver<bool>,
) -> Result<(), F::Error> {
    let Log { store, clock, filter, page_events_max } = log;
    let live_from = store.head().await?;
    let mut follower = Follower::new(part.name(), position, live_from);
    let mut resting = Some(Subscription::new(store, position, filter, page_events_max));
    let mut reading: Option<Reading> = None;
    // The last failure.
    let mut why = String::new();
    follows.step(clock.now(), follower.is_live()).await?;
    loop {
        let now = clock.now();
        part.set_standing(follower.standing(now), follower.position(), &why);
        if let Some(subscription) = resting.take_if(|_| follower.begin_read(now).is_some()) {
            reading = Some(Box::pin(read(subscription)));
        }
        let sleep = until(follower.wakes_at(follows.next_timer()), now);
        tokio::select! {
            (subscription, result) = under_way(&mut reading) => {
                (reading, resting) = (None, Some(subscription));
                match result {
                    Ok(page) => {
                        let reached = page.reached;
                        follows.take_in(page).await?;
                        follower.on_page(reached);
                    }
                    Err(error) => {
                        why = error.to_string();
                        if follower.on_failure(&error, clock.now()) {
                            tracing::warn!(part = part.name(), %error, "the log can't be read; it is tried again");
                        }
                    }
                }
            }
            work = follows.next_work() => follows.work(work).await?,
            () = tokio::time::sleep(sleep) => {}
            () = until_told(&mut stop) => {
                follows.stop().await;
                return Ok(());
            }
        }
        follows.step(clock.now(), follower.is_live()).await?;
    }
}

async fn read(mut subscription: Subscription) -> (Subscription, Result<Page, StoreError>) {
    let result = subscription.next().await;
    (subscription, result)
}

/// The end of the read that is under way; never, when none is.
async fn under_way(reading: &mut Option<Reading>) -> (Subscription, Result<Page, StoreError>) {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

fn until(at: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(at) = at else { return SLEEP_MAX };
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(SLEEP_MAX)
}

#[cfg(test)]
mod tests;
