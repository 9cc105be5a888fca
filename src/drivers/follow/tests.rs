use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, Clock as _, CommandId, CorrelationId, EventStore, RecordedEvent, Revision,
    StreamName,
};

use super::*;
use crate::clock::SystemClock;
use crate::drivers::parts::{Condition, Parts};

/// Number of events in the log.
const EVENTS: u64 = 40;
/// Duration of one read.
const READ_TIME: Duration = Duration::from_millis(5);

/// Log with empty pages and slow reads. The first reads fail.
struct SlowLog {
    reads: AtomicUsize,
    failures: usize,
}

impl SlowLog {
    fn new(failures: usize) -> Arc<Self> {
        Arc::new(Self { reads: AtomicUsize::new(0), failures })
    }
}

#[async_trait]
impl EventStore for SlowLog {
    async fn append(&self, _: Append) -> Result<Appended, AppendError> {
        unreachable!("consumers only read")
    }

    async fn find_command(&self, _: &StreamName, _: CommandId) -> Result<Option<FoundCommand>, StoreError> {
        unreachable!("consumers read pages")
    }

    async fn read_stream(
        &self,
        _: &StreamName,
        _: Revision,
        _: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        unreachable!("consumers read pages")
    }

    async fn read_correlation(
        &self,
        _: &CorrelationId,
        _: Position,
        _: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        unreachable!("consumers read pages")
    }

    async fn read_all(&self, after: Position, limit: usize, _: &Filter) -> Result<Page, StoreError> {
        tokio::time::sleep(READ_TIME).await;
        if self.reads.fetch_add(1, Ordering::Relaxed) < self.failures {
            return Err(StoreError::Unavailable("it restarts".into()));
        }
        Ok(Page { events: Vec::new(), reached: Position((after.0 + limit as u64).min(EVENTS)) })
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(Position(EVENTS))
    }

    async fn wait_beyond(&self, _: Position) -> Result<Position, StoreError> {
        std::future::pending().await
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

/// Consumer with a timer that is always overdue.
struct OverdueConsumer {
    reached: Arc<Mutex<Position>>,
    fails_at: Option<Position>,
}

#[async_trait]
impl LogConsumer for OverdueConsumer {
    type Error = StoreError;
    type Work = ();

    async fn handle_page(&mut self, page: Page) -> Result<(), StoreError> {
        *self.reached.lock().unwrap() = page.reached;
        let fails = self.fails_at.is_some_and(|at| page.reached >= at);
        if fails { Err(StoreError::Damaged("it can't be handled".into())) } else { Ok(()) }
    }

    async fn next_work(&mut self) {
        // As in a busy shop, some work is always ready after a moment.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn work(&mut self, (): ()) -> Result<(), StoreError> {
        Ok(())
    }

    async fn step(&mut self, _: Timestamp, _: bool) -> Result<(), StoreError> {
        Ok(())
    }

    fn next_timer(&self) -> Option<Timestamp> {
        Some(SystemClock.now() - SignedDuration::from_secs(60))
    }
}

fn log(store: Arc<SlowLog>) -> LogSource {
    LogSource { store, clock: Arc::new(SystemClock), filter: Filter::all(), page_events_max: 1 }
}

async fn reaches_the_end(store: Arc<SlowLog>) -> Condition {
    let reached = Arc::new(Mutex::new(Position::START));
    let consumer = OverdueConsumer { reached: Arc::clone(&reached), fails_at: None };
    let part = Parts::default().follower("x");
    let (stop, stopping) = watch::channel(false);
    let following = {
        let part = Arc::clone(&part);
        let log = log(store);
        tokio::spawn(async move { follow(consumer, log, Position::START, &part, stopping).await })
    };
    let caught_up = async {
        while *reached.lock().unwrap() < Position(EVENTS) || part.condition() == Condition::Starting {
            tokio::time::sleep(READ_TIME).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), caught_up).await.expect("it catches up");
    let condition = part.condition();
    stop.send_replace(true);
    following.await.unwrap().unwrap();
    condition
}

#[tokio::test]
async fn slow_reads_catch_up_despite_an_overdue_timer() {
    let store = SlowLog::new(0);
    assert_eq!(reaches_the_end(Arc::clone(&store)).await, Condition::Working);
    let reads = store.reads.load(Ordering::Relaxed) as u64;
    assert!((EVENTS..=EVENTS + 2).contains(&reads), "no page is read twice: {reads}");
}

#[tokio::test]
async fn reading_continues_after_the_engine_recovers() {
    assert_eq!(reaches_the_end(SlowLog::new(2)).await, Condition::Working);
}

#[tokio::test]
async fn a_failure_of_the_consumer_ends_the_loop_with_the_reason() {
    let reached = Arc::new(Mutex::new(Position::START));
    let consumer = OverdueConsumer { reached, fails_at: Some(Position(3)) };
    let part = Parts::default().follower("x");
    let (_stop, stopping) = watch::channel(false);
    let ended = follow(consumer, log(SlowLog::new(0)), Position::START, &part, stopping).await;
    assert!(matches!(ended, Err(StoreError::Damaged(_))));
}
