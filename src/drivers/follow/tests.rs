use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, CorrelationId, RecordedEvent, Revision, StreamName,
};

use super::*;
use crate::clock::SystemClock;
use crate::drivers::parts::{Condition, Parts};

/// Events in the log.
const EVENTS: u64 = 40;
/// The time that a read takes.
const READ_TIME: Duration = Duration::from_millis(5);

/// A log of empty pages that takes its time, and whose first reads fail.
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
        unreachable!("followers only read")
    }

    async fn find_command(&self, _: &StreamName, _: CommandId) -> Result<Option<FoundCommand>, StoreError> {
        unreachable!("followers read pages")
    }

    async fn read_stream(
        &self,
        _: &StreamName,
        _: Revision,
        _: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        unreachable!("followers read pages")
    }

    async fn read_correlation(
        &self,
        _: &CorrelationId,
        _: Position,
        _: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        unreachable!("followers read pages")
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

/// A follower with a timer that is long overdue, and whatever it does is overdue still.
struct Overdue {
    reached: Arc<Mutex<Position>>,
    fails_at: Option<Position>,
}

#[async_trait]
impl Follows for Overdue {
    type Error = StoreError;
    type Work = ();

    async fn take_in(&mut self, page: Page) -> Result<(), StoreError> {
        *self.reached.lock().unwrap() = page.reached;
        let fails = self.fails_at.is_some_and(|at| page.reached >= at);
        if fails { Err(StoreError::Damaged("it can't be taken in".into())) } else { Ok(()) }
    }

    async fn next_work(&mut self) {
        // Something is always ready within a moment, as messages of a busy shop are.
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

fn log(store: Arc<SlowLog>) -> Log {
    Log { store, clock: Arc::new(SystemClock), filter: Filter::all(), page_events_max: 1 }
}

async fn reaches_the_end(store: Arc<SlowLog>) -> Condition {
    let reached = Arc::new(Mutex::new(Position::START));
    let follows = Overdue { reached: Arc::clone(&reached), fails_at: None };
    let (part, (stop, stopping)) = (Parts::default().follower("x"), watch::channel(false));
    let following = {
        let part = Arc::clone(&part);
        let log = log(store);
        tokio::spawn(async move { follow(follows, log, Position::START, &part, stopping).await })
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
async fn slow_reads_beside_an_overdue_timer_catch_up() {
    let store = SlowLog::new(0);
    assert_eq!(reaches_the_end(Arc::clone(&store)).await, Condition::Working);
    let reads = store.reads.load(Ordering::Relaxed) as u64;
    assert!((EVENTS..=EVENTS + 2).contains(&reads), "no read is asked for twice: {reads}");
}

#[tokio::test]
async fn a_follower_goes_on_when_its_engine_is_back() {
    assert_eq!(reaches_the_end(SlowLog::new(2)).await, Condition::Working);
}

#[tokio::test]
async fn a_follower_that_fails_by_itself_ends_with_the_reason() {
    let reached = Arc::new(Mutex::new(Position::START));
    let follows = Overdue { reached, fails_at: Some(Position(3)) };
    let (part, (_stop, stopping)) = (Parts::default().follower("x"), watch::channel(false));
    let ended = follow(follows, log(SlowLog::new(0)), Position::START, &part, stopping).await;
    assert!(matches!(ended, Err(StoreError::Damaged(_))));
}
