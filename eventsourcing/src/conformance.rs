//! The event-store port's contract as one suite that any engine runs.
//!
//! Each rule gets a store of its own that is empty. A broken rule panics with its name.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::envelope::{Actor, NewEvent, Origin};
use crate::id::{CommandId, CorrelationId, Position, Revision, StreamName};
use crate::store::{
    APPEND_EVENTS_MAX, Append, AppendError, Appended, EVENT_BYTES_MAX, EventStore, Expected, Filter,
};
use crate::subscription::Subscription;

/// Writers that append at once.
const WRITERS: u128 = 8;
/// Appends of each.
const APPENDS: u128 = 40;

/// Runs every rule against stores that `make` gives.
pub async fn run<S: EventStore>(make: impl Fn() -> Arc<S>) {
    positions_and_revisions_are_in_order(make()).await;
    an_append_happens_only_where_it_was_expected(make()).await;
    a_repeat_is_refused_and_found_by_its_command(make()).await;
    an_append_is_all_or_nothing(make()).await;
    several_commands_share_an_append(make()).await;
    a_conflict_of_one_rolls_back_no_other(make()).await;
    a_filter_moves_on_over_what_it_does_not_take(make()).await;
    there_is_no_seam_between_catching_up_and_live(make()).await;
    a_slow_reader_misses_nothing(make()).await;
    limits_are_held(make()).await;
    waiting_is_pushed(make()).await;
}

fn stream(name: &str) -> StreamName {
    StreamName::new("thing", name)
}

fn event_of(stream: &StreamName, command: u128, ordinal: u32, event_type: &'static str, data: Bytes) -> NewEvent {
    let correlation = CorrelationId::from(Uuid::from_u128(1));
    let origin = Origin::new(Uuid::from_u128(command), Actor::new("test", "conformance"), correlation);
    origin.raw_envelope(stream, ordinal, event_type, 1, data, Timestamp::UNIX_EPOCH)
}

fn events(stream: &StreamName, command: u128, count: u32) -> Vec<NewEvent> {
    (0..count).map(|n| event_of(stream, command, n, "thing.happened", Bytes::from(format!("{{\"n\":{n}}}")))).collect()
}

async fn append(
    store: &impl EventStore,
    name: &str,
    expected: Expected,
    command: u128,
    count: u32,
) -> Result<Appended, AppendError> {
    let stream = stream(name);
    let events = events(&stream, command, count);
    store.append(Append { stream, expected, events }).await
}

async fn positions_and_revisions_are_in_order(store: Arc<impl EventStore>) {
    let first = append(&*store, "a", Expected::NoStream, 1, 3).await.expect("the first append");
    assert_eq!((first.first_revision, first.positions.len()), (Revision::FIRST, 3));
    let second = append(&*store, "a", Expected::Revision(Revision(2)), 2, 1).await.expect("the second append");
    assert_eq!(second.first_revision, Revision(3));
    assert!(second.positions[0] > first.positions[2], "positions increase");
    let read = store.read_stream(&stream("a"), Revision(1), 2).await.expect("a read");
    assert_eq!(read.iter().map(|event| event.revision.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read[0].event, events(&stream("a"), 1, 2)[1], "an event is read as it was written");
    assert!(store.read_stream(&stream("none"), Revision::FIRST, 10).await.expect("a read").is_empty());
    assert_eq!(store.head().await.expect("the head"), second.positions[0]);
}

async fn an_append_happens_only_where_it_was_expected(store: Arc<impl EventStore>) {
    let conflict = |result| matches!(result, Err(AppendError::Conflict { .. }));
    assert!(conflict(append(&*store, "a", Expected::Revision(Revision(0)), 1, 1).await), "no stream yet");
    append(&*store, "a", Expected::NoStream, 2, 1).await.expect("a new stream");
    assert!(conflict(append(&*store, "a", Expected::NoStream, 3, 1).await), "there is a stream");
    assert!(conflict(append(&*store, "a", Expected::Revision(Revision(1)), 4, 1).await), "not there yet");
    append(&*store, "a", Expected::Revision(Revision(0)), 5, 1).await.expect("the right revision");
    append(&*store, "a", Expected::Any, 6, 1).await.expect("any revision");
    assert_eq!(store.read_stream(&stream("a"), Revision::FIRST, 10).await.expect("a read").len(), 3);
}

async fn a_repeat_is_refused_and_found_by_its_command(store: Arc<impl EventStore>) {
    append(&*store, "a", Expected::NoStream, 1, 1).await.expect("an append");
    let done = append(&*store, "a", Expected::Any, 2, 3).await.expect("an append");
    append(&*store, "a", Expected::Any, 3, 1).await.expect("an append");
    let repeat = append(&*store, "a", Expected::Any, 2, 3).await;
    assert!(matches!(repeat, Err(AppendError::Duplicate { .. })), "a repeat is refused: {repeat:?}");
    let command = |n| CommandId(Uuid::from_u128(n));
    let found = store.find_command(&stream("a"), command(2)).await.expect("a lookup").expect("it is found");
    assert_eq!((found.first.revision, found.last_revision), (Revision(1), Revision(3)));
    assert_eq!(Some(&found.last_position), done.positions.last());
    assert!(store.find_command(&stream("a"), command(9)).await.expect("a lookup").is_none());
    assert!(store.find_command(&stream("b"), command(2)).await.expect("a lookup").is_none(), "of another stream");
    append(&*store, "b", Expected::NoStream, 2, 1).await.expect("the same command id on another stream");
}

async fn an_append_is_all_or_nothing(store: Arc<impl EventStore>) {
    append(&*store, "a", Expected::NoStream, 1, 1).await.expect("an append");
    let head = store.head().await.expect("the head");
    let name = stream("a");
    let mut mixed = events(&name, 2, 2);
    mixed.extend(events(&name, 1, 1));
    let result = store.append(Append { stream: name.clone(), expected: Expected::Any, events: mixed }).await;
    assert!(matches!(result, Err(AppendError::Duplicate { .. })), "{result:?}");
    assert_eq!(store.read_stream(&name, Revision::FIRST, 10).await.expect("a read").len(), 1);
    let next = append(&*store, "a", Expected::Revision(Revision(0)), 3, 1).await.expect("the stream is as before");
    assert!(next.positions[0] > head);
}

async fn several_commands_share_an_append(store: Arc<impl EventStore>) {
    let name = stream("a");
    let both = events(&name, 1, 2).into_iter().chain(events(&name, 2, 1)).collect();
    store.append(Append { stream: name.clone(), expected: Expected::NoStream, events: both }).await.expect("both");
    let found = |n| store.find_command(&name, CommandId(Uuid::from_u128(n)));
    let (first, second) = (found(1).await.expect("a lookup"), found(2).await.expect("a lookup"));
    assert_eq!(first.map(|found| found.last_revision), Some(Revision(1)));
    assert_eq!(second.map(|found| found.last_revision), Some(Revision(2)));
}

async fn a_conflict_of_one_rolls_back_no_other(store: Arc<impl EventStore>) {
    append(&*store, "hot", Expected::NoStream, 1, 1).await.expect("an append");
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = Arc::clone(&store);
            let (name, expected) = match n % 4 {
                0 => ("hot".to_owned(), Expected::NoStream),
                1 => ("hot".to_owned(), Expected::Revision(Revision(0))),
                _ => (format!("own{n}"), Expected::NoStream),
            };
            tokio::spawn(async move { append(&*store, &name, expected, n + 10, 2).await.is_ok() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.expect("a writer"));
    }
    assert_eq!(done, 51, "all appends to streams of their own, and one of those at revision 0");
    let page = store.read_all(Position::START, 1_000, &Filter::all()).await.expect("a read");
    assert_eq!(page.events.len(), 1 + 51 * 2);
}

async fn a_filter_moves_on_over_what_it_does_not_take(store: Arc<impl EventStore>) {
    let name = stream("a");
    let kinds = ["thing.red", "thing.blue"];
    for n in 0..20_u32 {
        let kind = kinds[usize::from(n % 10 == 0)];
        let event = event_of(&name, u128::from(n) + 1, 0, kind, Bytes::from_static(b"{}"));
        let append = Append { stream: name.clone(), expected: Expected::Any, events: vec![event] };
        store.append(append).await.expect("an append");
    }
    let filter = Filter::types(["thing.blue"]);
    let page = store.read_all(Position::START, 5, &filter).await.expect("a read");
    assert_eq!(page.events.len(), 1);
    let after = store.read_all(page.reached, 5, &filter).await.expect("a read");
    assert!(after.events.is_empty() && after.reached > page.reached, "it moves on over unwanted events");
}

/// Appends from many tasks while the caller reads.
fn write_concurrently(store: &Arc<impl EventStore>) -> Vec<tokio::task::JoinHandle<()>> {
    let writer = |writer: u128| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..APPENDS {
                let name = format!("s{}", (writer + n) % 5);
                append(&*store, &name, Expected::Any, 1_000 * (writer + 1) + n, 1).await.expect("an append");
                tokio::task::yield_now().await;
            }
        })
    };
    (0..WRITERS).map(writer).collect()
}

async fn there_is_no_seam_between_catching_up_and_live(store: Arc<impl EventStore>) {
    append(&*store, "s0", Expected::Any, 1, 10).await.expect("an append");
    let all = usize::try_from(WRITERS * APPENDS).expect("it is small") + 10;
    let readers: Vec<_> = [1, 3, 7, 64, 1_000]
        .into_iter()
        .map(|page| {
            let store: Arc<dyn EventStore> = Arc::clone(&store) as Arc<dyn EventStore>;
            tokio::spawn(read_everything(store, page, all, false))
        })
        .collect();
    for writer in write_concurrently(&store) {
        writer.await.expect("a writer");
    }
    for reader in readers {
        reader.await.expect("a reader");
    }
}

async fn a_slow_reader_misses_nothing(store: Arc<impl EventStore>) {
    let all = usize::try_from(WRITERS * APPENDS).expect("it is small");
    let slow: Arc<dyn EventStore> = Arc::clone(&store) as Arc<dyn EventStore>;
    let reader = tokio::spawn(read_everything(slow, 2, all, true));
    for writer in write_concurrently(&store) {
        writer.await.expect("a writer");
    }
    reader.await.expect("a reader");
}

/// Reads until `all` events came, each once and in order.
async fn read_everything(store: Arc<dyn EventStore>, page_events_max: usize, all: usize, slow: bool) {
    let mut subscription = Subscription::new(store, Position::START, Filter::all(), page_events_max);
    let (mut seen, mut last) = (0, Position::START);
    let mut revisions = std::collections::HashMap::new();
    while seen < all {
        let page = subscription.next().await.expect("a page");
        for event in &page.events {
            assert!(event.position > last, "position {} comes after {last}", event.position);
            last = event.position;
            let next = Revision::after(revisions.insert(event.stream.clone(), event.revision));
            assert_eq!(event.revision, next, "no event of {} is missed or doubled", event.stream);
        }
        seen += page.events.len();
        if slow {
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
    }
    assert_eq!(seen, all);
}

async fn limits_are_held(store: Arc<impl EventStore>) {
    let name = stream("large");
    let of_size = |bytes: usize, command| {
        let event = event_of(&name, command, 0, "thing.happened", Bytes::from(vec![b' '; bytes]));
        Append { stream: name.clone(), expected: Expected::Any, events: vec![event] }
    };
    store.append(of_size(EVENT_BYTES_MAX, 1)).await.expect("the largest event");
    let result = store.append(of_size(EVENT_BYTES_MAX + 1, 2)).await;
    assert!(matches!(result, Err(AppendError::TooLarge { .. })), "{result:?}");
    let most = u32::try_from(APPEND_EVENTS_MAX).expect("it is small");
    append(&*store, "batch", Expected::NoStream, 3, most).await.expect("the largest batch");
    let result = append(&*store, "batch", Expected::Any, 4, most + 1).await;
    assert!(matches!(result, Err(AppendError::TooLarge { .. })));
    let read = store.read_stream(&name, Revision::FIRST, 10).await.expect("a read");
    assert_eq!((read.len(), read[0].event.data.len()), (1, EVENT_BYTES_MAX));
}

async fn waiting_is_pushed(store: Arc<impl EventStore>) {
    let head = store.head().await.expect("the head");
    let waiter = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.wait_beyond(head).await.expect("the head moves") }
    });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished(), "nothing to wait up for yet");
    let appended = append(&*store, "a", Expected::Any, 1, 1).await.expect("an append");
    assert_eq!(waiter.await.expect("the waiter"), appended.positions[0]);
    assert_eq!(store.wait_beyond(head).await.expect("at once"), appended.positions[0]);
}
