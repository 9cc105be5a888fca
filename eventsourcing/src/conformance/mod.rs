//! The event-store port's contract as one suite that any engine runs.
//!
//! Each rule gets a store of its own that is empty. A broken rule panics with a sentence that says
//! which. No rule depends on how long anything takes. The rules that need a race spawn tasks: run the
//! suite on a runtime with several threads.

mod append;
mod read;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::envelope::{Actor, NewEvent, Origin};
use crate::id::{CommandId, CorrelationId, Position, StreamName};
use crate::store::{Append, AppendError, Appended, EventStore, Expected, Filter};

/// An engine under test.
pub type Store = Arc<dyn EventStore>;

/// Runs every rule, each against an empty store that `make` gives.
pub async fn run(make: impl AsyncFn() -> Store) {
    append::positions_and_revisions_are_in_order(make().await).await;
    append::an_append_happens_only_where_it_was_expected(make().await).await;
    append::a_failed_append_leaves_nothing(make().await).await;
    append::a_repeat_is_refused_and_found_by_its_command(make().await).await;
    append::a_repeat_is_found_long_after(make().await).await;
    append::an_append_is_all_or_nothing(make().await).await;
    append::several_commands_share_an_append(make().await).await;
    append::a_conflict_of_one_rolls_back_no_other(make().await).await;
    append::of_appends_at_one_revision_exactly_one_happens(make().await).await;
    append::of_appends_of_one_command_exactly_one_happens(make().await).await;
    append::an_append_without_events_changes_nothing(make().await).await;
    append::sizes_are_held_to_the_limits(make().await).await;
    read::an_event_is_read_as_it_was_written(make().await).await;
    read::pages_of_a_stream_and_of_the_log_join_without_a_gap(make().await).await;
    read::a_filter_moves_on_over_what_it_does_not_take(make().await).await;
    read::there_is_no_seam_between_catching_up_and_live(make().await).await;
    read::a_filtered_subscription_misses_nothing(make().await).await;
    read::a_slow_reader_misses_nothing(make().await).await;
    read::what_was_acknowledged_is_visible(make().await).await;
    read::waiting_is_pushed(make().await).await;
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

/// `count` events of a command.
fn events(stream: &StreamName, command: u128, count: u32) -> Vec<NewEvent> {
    let data = |n: u32| Bytes::from(format!("{{\"n\":{n}}}"));
    (0..count).map(|n| event_of(stream, command, n, "thing.happened", data(n))).collect()
}

/// Appends `count` events of a command to the stream of that name.
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

/// As [`append`], whatever stands there; it must happen.
async fn appended(store: &Store, name: &str, command: u128, count: u32) -> Appended {
    append(store, name, Expected::Any, command, count).await.expect("an append that nothing speaks against")
}

/// How many events the log has, by reading it.
async fn count_events(store: &Store) -> usize {
    let (mut count, mut reached) = (0, Position::START);
    loop {
        let page = store.read_all(reached, 1_000, &Filter::all()).await.expect("a read of the log");
        if page.reached == reached {
            return count;
        }
        count += page.events.len();
        reached = page.reached;
    }
}
