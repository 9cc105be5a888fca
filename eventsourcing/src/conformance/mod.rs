//! Conformance suite: tests of the event-store port's contract that every storage engine must pass.
//!
//! Invariants: each rule runs against its own empty store. No rule depends on timing. Rules about concurrency
//! spawn tasks, so the suite must run on a Tokio runtime with several threads.
//!
//! On failure: a rule that does not hold panics with a sentence that states the rule.

mod append;
mod read;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::envelope::{Actor, NewEvent, Origin};
use crate::id::{CommandId, CorrelationId, Position, StreamName};
use crate::store::{Append, AppendError, Appended, EventStore, Expected, Filter};

/// Storage engine under test.
pub type Store = Arc<dyn EventStore>;

/// Runs every rule, each against a new empty store from `make`.
pub async fn run(make: impl AsyncFn() -> Store) {
    append::positions_and_revisions_are_in_order(make().await).await;
    append::an_append_at_another_revision_than_expected_fails(make().await).await;
    append::a_failed_append_leaves_no_event(make().await).await;
    append::a_repeated_command_is_rejected_and_can_be_found(make().await).await;
    append::a_command_is_found_after_many_later_events(make().await).await;
    append::an_append_writes_all_events_or_none(make().await).await;
    append::one_append_can_hold_several_commands(make().await).await;
    append::a_conflict_does_not_roll_back_other_appends(make().await).await;
    append::only_one_of_several_appends_at_the_same_revision_succeeds(make().await).await;
    append::only_one_of_several_appends_of_the_same_command_succeeds(make().await).await;
    append::an_append_without_events_changes_nothing(make().await).await;
    append::the_size_limits_are_enforced(make().await).await;
    read::an_event_is_read_as_it_was_written(make().await).await;
    read::pages_of_a_stream_and_of_the_log_join_without_a_gap(make().await).await;
    read::a_read_moves_past_events_that_do_not_match_its_filter(make().await).await;
    read::a_subscription_goes_from_stored_to_new_events_without_a_gap(make().await).await;
    read::a_filtered_subscription_returns_every_matching_event(make().await).await;
    read::a_slow_reader_misses_no_event(make().await).await;
    read::a_confirmed_append_is_visible_at_once(make().await).await;
    read::an_append_wakes_waiting_readers(make().await).await;
}

fn stream(name: &str) -> StreamName {
    StreamName::new("thing", name)
}

fn command(number: u128) -> CommandId {
    CommandId(Uuid::from_u128(number))
}

fn event_of(
    stream: &StreamName,
    command: u128,
    ordinal: u32,
    event_type: &'static str,
    data: Bytes,
) -> NewEvent {
    let correlation = CorrelationId::from(Uuid::from_u128(1));
    let origin = Origin::new(Uuid::from_u128(command), Actor::new("test", "conformance"), correlation);
    origin.raw_envelope(stream, ordinal, event_type, 1, data, Timestamp::UNIX_EPOCH)
}

/// Returns `count` events of a command.
fn events(stream: &StreamName, command: u128, count: u32) -> Vec<NewEvent> {
    let data = |n: u32| Bytes::from(format!("{{\"n\":{n}}}"));
    (0..count).map(|n| event_of(stream, command, n, "thing.happened", data(n))).collect()
}

/// Appends `count` events of a command to the stream `name`.
async fn append(
    store: &Store,
    name: &str,
    expected: Expected,
    command: u128,
    count: u32,
) -> Result<Appended, AppendError> {
    let stream = stream(name);
    let events = events(&stream, command, count);
    store.append(Append { stream, expected, events }).await
}

/// Appends like [`append`], without a condition on the revision, and panics if the append fails.
async fn appended(store: &Store, name: &str, command: u128, count: u32) -> Appended {
    append(store, name, Expected::Any, command, count).await.expect("an append without a condition succeeds")
}

/// Counts the events of the log by reading all of them.
async fn count_events(store: &Store) -> usize {
    let mut count = 0;
    let mut reached = Position::START;
    loop {
        let page = store.read_all(reached, 1_000, &Filter::all()).await.expect("a read of the log");
        if page.reached == reached {
            return count;
        }
        count += page.events.len();
        reached = page.reached;
    }
}
