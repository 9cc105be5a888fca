//! Loop that reads the log for a consumer: a process, the read models, or the settled orders.
//!
//! One read of the log is always running, and other work never cancels it. The consumer handles a page before
//! the next read begins. If the engine of the log fails, the loop waits and tries again. If the consumer
//! itself fails, the loop ends with the reason, and the supervisor starts the part again.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_eventsourcing::follower::Follower;
use souk_eventsourcing::{Filter, Page, Position, StoreError, Subscription};
use tokio::sync::watch;

use super::SharedStore;
use super::parts::{Part, stop_requested};
use crate::clock::SharedClock;

/// Longest sleep before a timer. The sleep is short because somebody may set the clock meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Consumer of the log.
#[async_trait]
pub trait LogConsumer: Send {
    /// Reason why the consumer can't continue.
    type Error: From<StoreError> + std::fmt::Display;
    /// Work of the consumer besides reading the log.
    type Work: Send;

    /// Handles a page of events.
    async fn handle_page(&mut self, page: Page) -> Result<(), Self::Error>;

    /// Waits for the next work besides reading the log. The future is cancel-safe.
    async fn next_work(&mut self) -> Self::Work;

    /// Does one piece of work.
    async fn work(&mut self, work: Self::Work) -> Result<(), Self::Error>;

    /// Does everything that is due, after a page, work or a timer. `is_live` is true if the consumer has read
    /// all events that were in the log at the start.
    async fn step(&mut self, now: Timestamp, is_live: bool) -> Result<(), Self::Error>;

    /// Returns the time of the next timer. The timer fires only after the consumer is live.
    fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    /// Called once when the shop stops.
    async fn stop(&mut self) {}
}

/// Settings for reading the log.
pub struct LogSource {
    /// Store that contains the log.
    pub store: SharedStore,
    /// Source of the current time.
    pub clock: SharedClock,
    /// Filter for the events that the consumer needs.
    pub filter: Filter,
    /// Maximum number of events that one read examines.
    pub page_events_max: usize,
}

/// Running read. It returns the subscription when it ends.
type Reading = Pin<Box<dyn Future<Output = (Subscription, Result<Page, StoreError>)> + Send>>;

/// Reads the log from `position` on until `stop` becomes true.
pub async fn follow<C: LogConsumer>(
    mut consumer: C,
    log: LogSource,
    position: Position,
    part: &Part,
    mut stop: watch::Receiver<bool>,
) -> Result<(), C::Error> {
    let LogSource { store, clock, filter, page_events_max } = log;
    let live_from = store.head().await?;
    let mut follower = Follower::new(part.name(), position, live_from);
    let mut resting = Some(Subscription::new(store, position, filter, page_events_max));
    let mut reading: Option<Reading> = None;
    let mut last_failure = String::new();
    consumer.step(clock.now(), follower.is_live()).await?;
    loop {
        let now = clock.now();
        part.set_follower_state(follower.state(now), follower.position(), &last_failure);
        if let Some(subscription) = resting.take_if(|_| follower.begin_read(now).is_some()) {
            reading = Some(Box::pin(read(subscription)));
        }
        let sleep = sleep_time(follower.wakes_at(consumer.next_timer()), now);
        tokio::select! {
            (subscription, result) = finished_read(&mut reading) => {
                reading = None;
                resting = Some(subscription);
                match result {
                    Ok(page) => {
                        let reached = page.reached;
                        consumer.handle_page(page).await?;
                        follower.on_page(reached);
                    }
                    Err(error) => {
                        last_failure = error.to_string();
                        if follower.on_failure(&error, clock.now()) {
                            tracing::warn!(part = part.name(), %error, "the log can't be read; the next read follows after a wait");
                        }
                    }
                }
            }
            work = consumer.next_work() => consumer.work(work).await?,
            () = tokio::time::sleep(sleep) => {}
            () = stop_requested(&mut stop) => {
                consumer.stop().await;
                return Ok(());
            }
        }
        consumer.step(clock.now(), follower.is_live()).await?;
    }
}

async fn read(mut subscription: Subscription) -> (Subscription, Result<Page, StoreError>) {
    let result = subscription.next().await;
    (subscription, result)
}

/// Waits for the end of the running read. Without a running read it waits for ever.
async fn finished_read(reading: &mut Option<Reading>) -> (Subscription, Result<Page, StoreError>) {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

fn sleep_time(at: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(at) = at else { return SLEEP_MAX };
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(SLEEP_MAX)
}

#[cfg(test)]
mod tests;
