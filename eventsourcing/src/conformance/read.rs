//! Rules about reads: pages, filters, and following the log while others append.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Store, appended, command, event_of, stream};
use crate::envelope::{Actor, NewEvent, RecordedEvent, ReplyTo};
use crate::id::{CorrelationId, EventId, Position, RequestHash, Revision, StreamName};
use crate::store::{Append, Expected, Filter};
use crate::subscription::Subscription;

/// Number of concurrent writers.
const WRITERS: u128 = 8;
/// Number of appends of each writer, with one event each.
const APPENDS: u128 = 40;
/// Number of events of all writers.
const NEW_EVENTS: usize = (WRITERS * APPENDS) as usize;
/// Number of events in the log before the writers start.
const STORED_EVENTS: usize = 200;

pub(super) async fn an_event_is_read_as_it_was_written(store: Store) {
    let name = StreamName::new("thing", "ä-1 – 'quoted\"");
    let full = NewEvent {
        id: EventId::derive(&name, command(7), 0),
        event_type: "thing.happened".into(),
        schema_version: u16::MAX,
        recorded_at: Timestamp::from_microsecond(1_795_262_400_123_456).expect("a fixed instant is in range"),
        actor: Actor::new("customer", "Zoë"),
        correlation_id: CorrelationId::parse("4f1e-anything~visible").expect("it is visible ASCII"),
        causation_id: Some(EventId(Uuid::from_u128(u128::MAX))),
        command_id: command(7),
        request_hash: Some(RequestHash([255; 16])),
        reply_to: ReplyTo::parse("checkout-a-1:b:3.17"),
        content_type: "application/octet-stream".into(),
        data: Bytes::from_static(&[0, 1, 254, 255, b'\n', 0]),
    };
    let empty = NewEvent {
        id: EventId::derive(&name, command(7), 1),
        recorded_at: Timestamp::from_microsecond(-1).expect("a fixed instant is in range"),
        causation_id: None,
        request_hash: None,
        reply_to: None,
        data: Bytes::new(),
        ..full.clone()
    };
    assert!(full.reply_to.is_some(), "the text is a valid `reply_to`");
    let written = vec![full, empty];
    store
        .append(Append { stream: name.clone(), expected: Expected::NoStream, events: written.clone() })
        .await
        .expect("an append");
    let of_stream = store.read_stream(&name, Revision::FIRST, 10).await.expect("a read");
    let of_log = store.read_all(Position::START, 10, &Filter::all()).await.expect("a read").events;
    assert_eq!(of_stream, of_log, "reading the stream and reading the log give the same event");
    let read: Vec<_> = of_stream.into_iter().map(|event| event.event).collect();
    assert_eq!(read, written, "an event is read as it was written");
}

pub(super) async fn pages_of_a_stream_and_of_the_log_join_without_a_gap(store: Store) {
    for n in 0..50 {
        appended(&store, ["a", "b"][usize::from(n % 3 == 0)], n + 1, 3).await;
    }
    let whole = store.read_stream(&stream("a"), Revision::FIRST, 1_000).await.expect("a read");
    let revisions: Vec<u64> = whole.iter().map(|event| event.revision.0).collect();
    assert_eq!(revisions, (0..99).collect::<Vec<_>>(), "a stream has all its events in order");
    for limit in [1, 2, 31, 32, 33, 98, 99, 100] {
        let mut joined = Vec::new();
        loop {
            let from = Revision(joined.len() as u64);
            let page = store.read_stream(&stream("a"), from, limit).await.expect("a read");
            assert!(page.len() <= limit, "a page of a stream does not exceed its limit");
            if page.is_empty() {
                break;
            }
            joined.extend(page);
        }
        assert_eq!(joined, whole, "pages of {limit} events together are the whole stream");
    }
    assert!(
        store.read_stream(&stream("none"), Revision::FIRST, 9).await.expect("a read").is_empty(),
        "a stream that does not exist has no events"
    );
    let mut positions = Vec::new();
    let mut reached = Position::START;
    while positions.len() < 150 {
        let page = store.read_all(reached, 7, &Filter::all()).await.expect("a read");
        assert!(page.events.len() <= 7, "a page of the log does not exceed its limit");
        assert!(page.reached > reached, "a page before the head reaches a later position");
        reached = page.reached;
        positions.extend(page.events.iter().map(|event| event.position));
    }
    assert!(positions.is_sorted_by(|a, b| a < b), "the log is read in order");
    let page = store.read_all(reached, 7, &Filter::all()).await.expect("a read");
    assert!(
        page.events.is_empty() && page.reached == reached,
        "a page at the head is empty and reaches the same position"
    );
}

pub(super) async fn a_read_moves_past_events_that_do_not_match_its_filter(store: Store) {
    write_red_and_blue(&store, 20).await;
    let filter = Filter::types(["thing.blue"]);
    let page = store.read_all(Position::START, 5, &filter).await.expect("a read");
    assert_eq!(page.events.len(), 1, "a page holds only events that match the filter");
    let after = store.read_all(page.reached, 5, &filter).await.expect("a read");
    assert!(
        after.events.is_empty() && after.reached > page.reached,
        "a read moves past events that do not match"
    );
    let nothing = store.read_all(Position::START, 100, &Filter::types([])).await.expect("a read");
    assert!(nothing.events.is_empty(), "a filter without event types matches no event");
    assert_eq!(nothing.reached, store.head().await.expect("the head"), "the read still reaches the head");
}

/// Appends `count` events. Every tenth event is blue, starting with the first; the others are red.
async fn write_red_and_blue(store: &Store, count: u32) {
    let name = stream("a");
    for n in 0..count {
        let kind = ["thing.red", "thing.blue"][usize::from(n % 10 == 0)];
        let event = event_of(&name, u128::from(n) + 1, 0, kind, Bytes::from_static(b"{}"));
        let append = Append { stream: name.clone(), expected: Expected::Any, events: vec![event] };
        store.append(append).await.expect("an append");
    }
}

/// Starts tasks that append while the caller reads.
fn write_concurrently(store: &Store) -> Vec<JoinHandle<()>> {
    let writer = |writer: u128| {
        let store = Store::clone(store);
        tokio::spawn(async move {
            for n in 0..APPENDS {
                appended(&store, &format!("s{}", (writer + n) % 5), 1_000 * (writer + 1) + n, 1).await;
                tokio::task::yield_now().await;
            }
        })
    };
    (0..WRITERS).map(writer).collect()
}

pub(super) async fn a_subscription_goes_from_stored_to_new_events_without_a_gap(store: Store) {
    for n in 0..STORED_EVENTS {
        appended(&store, &format!("s{}", n % 5), n as u128 + 1, 1).await;
    }
    let before = store.read_all(Position::START, STORED_EVENTS, &Filter::all()).await.expect("a read").events;
    let mut random = 42;
    let readers: Vec<_> = [1, 2, 3, 7, 64, 1_000]
        .into_iter()
        .flat_map(|page| [(page, 0), (page, next_random(&mut random) % STORED_EVENTS), (page, STORED_EVENTS)])
        .map(|(page, skipped)| {
            let reader = Reader::after(&before[..skipped]);
            tokio::spawn(reader.read(
                Store::clone(&store),
                page,
                STORED_EVENTS - skipped + NEW_EVENTS,
                Pace::Full,
            ))
        })
        .collect();
    for task in write_concurrently(&store).into_iter().chain(readers) {
        task.await.expect("every reader sees every event once and in order");
    }
}

pub(super) async fn a_filtered_subscription_returns_every_matching_event(store: Store) {
    let reader = tokio::spawn({
        let store = Store::clone(&store);
        async move {
            let filter = Filter::types(["thing.blue"]);
            let mut subscription = Subscription::new(store, Position::START, filter, 3);
            let mut revisions = Vec::new();
            while revisions.len() < 10 {
                let page = subscription.next().await.expect("a page");
                revisions.extend(page.events.iter().map(|event| event.revision.0));
            }
            revisions
        }
    });
    write_red_and_blue(&store, 100).await;
    let every_tenth: Vec<u64> = (0..100).step_by(10).collect();
    assert_eq!(
        reader.await.expect("the reader"),
        every_tenth,
        "each matching event is returned once and in order"
    );
}

pub(super) async fn a_slow_reader_misses_no_event(store: Store) {
    let reader = Reader::after(&[]).read(Store::clone(&store), 2, NEW_EVENTS, Pace::Slow);
    let reader = tokio::spawn(reader);
    for task in write_concurrently(&store).into_iter().chain([reader]) {
        task.await.expect("a slow reader sees every event once and in order");
    }
}

/// Pseudo-random generator with the same numbers in every run (Knuth's MMIX constants).
fn next_random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 40).expect("24 bits fit")
}

enum Pace {
    Full,
    /// The reader lets all other tasks run 50 times before each read.
    Slow,
}

/// Reader that checks the order of events: its last position, and the last revision of each stream.
struct Reader {
    last: Position,
    revisions: HashMap<StreamName, Revision>,
}

impl Reader {
    /// Makes a reader that has already read these events.
    fn after(events: &[RecordedEvent]) -> Self {
        let mut reader = Self { last: Position::START, revisions: HashMap::new() };
        for event in events {
            reader.check(event);
        }
        reader
    }

    fn check(&mut self, event: &RecordedEvent) {
        assert!(event.position > self.last, "position {} comes after {}", event.position, self.last);
        self.last = event.position;
        let next = Revision::after(self.revisions.insert(event.stream.clone(), event.revision));
        assert_eq!(event.revision, next, "no event of {} is missing or repeated", event.stream);
    }

    /// Follows the log until it has read `expected` more events.
    async fn read(mut self, store: Store, page_events_max: usize, expected: usize, pace: Pace) {
        let mut subscription = Subscription::new(store, self.last, Filter::all(), page_events_max);
        let mut count = 0;
        while count < expected {
            let page = subscription.next().await.expect("a page");
            for event in &page.events {
                self.check(event);
            }
            count += page.events.len();
            if matches!(pace, Pace::Slow) {
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
        }
        assert_eq!(count, expected, "the reader receives no more events than were appended");
    }
}

pub(super) async fn a_confirmed_append_is_visible_at_once(store: Store) {
    for n in 0..50 {
        let done = appended(&store, "a", n + 1, 2).await;
        let last = done.positions[1];
        assert!(store.head().await.expect("the head") >= last, "the head includes a confirmed append");
        assert!(
            store.wait_beyond(done.positions[0]).await.expect("the head") >= last,
            "waiting for a confirmed append returns at once"
        );
        let page = store.read_all(done.positions[0], 10, &Filter::all()).await.expect("a read");
        assert_eq!(page.reached, last, "a confirmed event is read from the log");
        let read = store.read_stream(&stream("a"), done.first_revision, 10).await.expect("a read");
        assert_eq!(read.len(), 2, "a confirmed event is read from its stream");
        assert!(
            store.find_command(&stream("a"), command(n + 1)).await.expect("a lookup").is_some(),
            "a confirmed command is found"
        );
    }
}

pub(super) async fn an_append_wakes_waiting_readers(store: Store) {
    appended(&store, "a", 1, 1).await;
    let head = store.head().await.expect("the head");
    let waiters: Vec<_> = (0..20)
        .map(|_| {
            let store = Store::clone(&store);
            tokio::spawn(async move { store.wait_beyond(head).await.expect("the head moves") })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()), "no reader wakes before the append");
    let done = appended(&store, "a", 2, 1).await;
    for waiter in waiters {
        assert_eq!(waiter.await.expect("a waiter"), done.positions[0], "an append wakes all waiting readers");
    }
    assert_eq!(
        store.wait_beyond(head).await.expect("the head"),
        done.positions[0],
        "waiting for an earlier position returns at once"
    );
}
