//! Rules about appends: their effects, and the cases in which they fail.

use bytes::Bytes;

use super::{Store, append, appended, command, count_events, event_of, events, stream};
use crate::id::{Position, Revision};
use crate::store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, Appended, EVENT_BYTES_MAX, Expected, Filter,
    READ_BYTES_MAX, is_full_page,
};

fn is_conflict(result: &Result<Appended, AppendError>) -> bool {
    matches!(result, Err(AppendError::Conflict { .. }))
}

fn is_duplicate(result: &Result<Appended, AppendError>) -> bool {
    matches!(result, Err(AppendError::Duplicate { .. }))
}

fn is_too_large(result: &Result<Appended, AppendError>) -> bool {
    matches!(result, Err(AppendError::TooLarge { .. }))
}

pub(super) async fn positions_and_revisions_are_in_order(store: Store) {
    assert_eq!(
        store.head().await.expect("the head"),
        Position::START,
        "the head of an empty log is its start"
    );
    let first = append(&store, "a", Expected::NoStream, 1, 3).await.expect("the first append");
    assert_eq!(
        (first.first_revision, first.positions.len()),
        (Revision::FIRST, 3),
        "the first revision is 0"
    );
    let other = appended(&store, "b", 2, 2).await;
    assert_eq!(other.first_revision, Revision::FIRST, "each stream has its own revisions");
    let last = append(&store, "a", Expected::Revision(Revision(2)), 3, 1).await.expect("the third append");
    assert_eq!(last.first_revision, Revision(3), "revisions have no gap");
    let positions = [first.positions, other.positions, last.positions.clone()].concat();
    assert!(positions.is_sorted_by(|a, b| a < b), "positions increase strictly: {positions:?}");
    assert_eq!(store.head().await.expect("the head"), last.positions[0], "the head is the last position");
}

pub(super) async fn an_append_at_another_revision_than_expected_fails(store: Store) {
    let revision = |n| Expected::Revision(Revision(n));
    assert!(is_conflict(&append(&store, "a", revision(0), 1, 1).await), "the stream does not exist yet");
    append(&store, "a", Expected::NoStream, 2, 1).await.expect("a new stream");
    let result = append(&store, "a", Expected::NoStream, 3, 1).await;
    let Err(AppendError::Conflict { stream: of, current }) = result else {
        panic!("an append that expects no stream conflicts with an existing one: {result:?}")
    };
    assert_eq!(of, stream("a"), "a conflict names its stream");
    assert!(current.is_none_or(|current| current == Revision(0)), "a conflict names the stream's revision");
    assert!(
        is_conflict(&append(&store, "a", revision(1), 4, 1).await),
        "the stream has not reached revision 1"
    );
    append(&store, "a", revision(0), 5, 1).await.expect("the right revision");
    assert!(
        is_conflict(&append(&store, "a", revision(0), 6, 1).await),
        "the stream is already past revision 0"
    );
    append(&store, "a", Expected::Any, 7, 1).await.expect("any revision");
    append(&store, "new", Expected::Any, 8, 1)
        .await
        .expect("any revision, also of a stream that does not exist");
    let read = store.read_stream(&stream("a"), Revision::FIRST, 10).await.expect("a read");
    let commands: Vec<_> = read.iter().map(|event| event.event.command_id).collect();
    assert_eq!(
        commands,
        [command(2), command(5), command(7)],
        "the stream holds no event of a failed append"
    );
}

pub(super) async fn a_failed_append_leaves_no_event(store: Store) {
    let before = appended(&store, "a", 1, 2).await;
    assert!(is_conflict(&append(&store, "a", Expected::NoStream, 2, 3).await));
    assert!(is_duplicate(&append(&store, "a", Expected::Any, 1, 2).await));
    assert_eq!(store.head().await.expect("the head"), before.positions[1], "the head does not move");
    assert_eq!(count_events(&store).await, 2, "no event of a failed append is read");
    let found = store.find_command(&stream("a"), command(2)).await.expect("a lookup");
    assert!(found.is_none(), "no command of a failed append is found");
    let done =
        append(&store, "a", Expected::Revision(Revision(1)), 2, 3).await.expect("the command can be retried");
    assert_eq!(done.first_revision, Revision(2), "a failed append uses no revision");
}

pub(super) async fn a_repeated_command_is_rejected_and_can_be_found(store: Store) {
    appended(&store, "a", 1, 1).await;
    let done = appended(&store, "a", 2, 3).await;
    appended(&store, "a", 3, 1).await;
    for count in [3, 1] {
        let repeat = append(&store, "a", Expected::Any, 2, count).await;
        assert!(is_duplicate(&repeat), "a repeat is rejected: {repeat:?}");
    }
    let found = store.find_command(&stream("a"), command(2)).await.expect("a lookup").expect("it is found");
    assert_eq!(
        (found.first.revision, found.last_revision),
        (Revision(1), Revision(3)),
        "its revisions are found"
    );
    assert_eq!(found.first.position, done.positions[0], "its first position is found");
    assert_eq!(found.last_position, done.positions[2], "its last position is found");
    assert_eq!(
        found.first.event,
        events(&stream("a"), 2, 1)[0],
        "its first event is found as it was written"
    );
    assert!(
        store.find_command(&stream("a"), command(9)).await.expect("a lookup").is_none(),
        "a command that was never appended is not found"
    );
    assert!(
        store.find_command(&stream("b"), command(2)).await.expect("a lookup").is_none(),
        "a command is not found in another stream"
    );
    append(&store, "b", Expected::NoStream, 2, 1)
        .await
        .expect("the same command id may be used on another stream");
}

pub(super) async fn a_command_is_found_after_many_later_events(store: Store) {
    let early = appended(&store, "a", 1, 2).await;
    for n in 0..20 {
        appended(&store, "a", 100 + n, 500).await;
    }
    let found = store.find_command(&stream("a"), command(1)).await.expect("a lookup").expect("it is found");
    assert_eq!(
        (found.last_revision, found.last_position),
        (Revision(1), early.positions[1]),
        "the command is found 10,000 events later"
    );
    assert!(
        is_duplicate(&append(&store, "a", Expected::Any, 1, 2).await),
        "a repeat is rejected 10,000 events later"
    );
}

pub(super) async fn an_append_writes_all_events_or_none(store: Store) {
    appended(&store, "a", 1, 1).await;
    let head = store.head().await.expect("the head");
    let name = stream("a");
    let mut mixed = events(&name, 2, 2);
    mixed.extend(events(&name, 1, 1));
    let result = store.append(Append { stream: name.clone(), expected: Expected::Any, events: mixed }).await;
    assert!(is_duplicate(&result), "one event that already exists rejects the whole append: {result:?}");
    assert_eq!(count_events(&store).await, 1, "the log holds no event of the append");
    let twice = [events(&name, 3, 1), events(&name, 3, 1)].concat();
    let result = store.append(Append { stream: name, expected: Expected::Any, events: twice }).await;
    assert!(
        is_duplicate(&result),
        "an event that is twice in its append rejects the whole append: {result:?}"
    );
    let next =
        append(&store, "a", Expected::Revision(Revision(0)), 4, 1).await.expect("the stream is unchanged");
    assert!(next.positions[0] > head, "positions still increase");
}

pub(super) async fn one_append_can_hold_several_commands(store: Store) {
    let name = stream("a");
    let both = [events(&name, 1, 2), events(&name, 2, 1)].concat();
    store
        .append(Append { stream: name.clone(), expected: Expected::NoStream, events: both })
        .await
        .expect("both commands are appended");
    let find = |n| store.find_command(&name, command(n));
    let first = find(1).await.expect("a lookup");
    let second = find(2).await.expect("a lookup");
    assert_eq!(
        first.map(|found| found.last_revision),
        Some(Revision(1)),
        "the first command ends before the second"
    );
    let revisions = second.map(|found| (found.first.revision, found.last_revision));
    assert_eq!(revisions, Some((Revision(2), Revision(2))), "the second command begins after the first");
}

pub(super) async fn a_conflict_does_not_roll_back_other_appends(store: Store) {
    appended(&store, "hot", 1, 1).await;
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = Store::clone(&store);
            let (name, expected, number) = match n % 5 {
                0 => ("hot".to_owned(), Expected::NoStream, n + 10),
                1 => ("hot".to_owned(), Expected::Revision(Revision(9_999)), n + 10),
                2 => ("hot".to_owned(), Expected::Any, 1),
                _ => (format!("own{n}"), Expected::NoStream, n + 10),
            };
            tokio::spawn(async move { append(&store, &name, expected, number, 2).await.is_ok() })
        })
        .collect();
    let mut successes = 0;
    for task in tasks {
        successes += usize::from(task.await.expect("a writer"));
    }
    assert_eq!(successes, 40, "only the appends to separate streams succeed");
    assert_eq!(count_events(&store).await, 1 + 40 * 2, "the log holds exactly their events");
}

pub(super) async fn only_one_of_several_appends_at_the_same_revision_succeeds(store: Store) {
    for round in 0..10 {
        let expected = if round == 0 { Expected::NoStream } else { Expected::Revision(Revision(round - 1)) };
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let store = Store::clone(&store);
                let number = u128::from(round) * 100 + n + 1;
                tokio::spawn(async move { append(&store, "a", expected, number, 1).await })
            })
            .collect();
        let mut successes = 0;
        for task in tasks {
            let result = task.await.expect("a writer");
            assert!(result.is_ok() || is_conflict(&result), "the other appends conflict: {result:?}");
            successes += usize::from(result.is_ok());
        }
        assert_eq!(successes, 1, "exactly one of the appends at the same revision succeeds");
    }
}

pub(super) async fn only_one_of_several_appends_of_the_same_command_succeeds(store: Store) {
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = Store::clone(&store);
            tokio::spawn(async move { append(&store, "a", Expected::Any, 1, 3).await })
        })
        .collect();
    let mut successes = 0;
    for task in tasks {
        let result = task.await.expect("a writer");
        assert!(result.is_ok() || is_duplicate(&result), "the other appends are repeats: {result:?}");
        successes += usize::from(result.is_ok());
    }
    assert_eq!(
        (successes, count_events(&store).await),
        (1, 3),
        "exactly one of the appends of the same command succeeds"
    );
}

pub(super) async fn an_append_without_events_changes_nothing(store: Store) {
    let before = appended(&store, "a", 1, 2).await;
    let nothing =
        append(&store, "a", Expected::Revision(Revision(1)), 2, 0).await.expect("an append without events");
    assert!(nothing.positions.is_empty(), "an append without events has no positions");
    assert!(
        is_conflict(&append(&store, "a", Expected::NoStream, 3, 0).await),
        "the expected revision is checked even without events"
    );
    assert_eq!(store.head().await.expect("the head"), before.positions[1], "the head does not move");
    append(&store, "new", Expected::NoStream, 4, 0).await.expect("an append without events");
    append(&store, "new", Expected::NoStream, 5, 1).await.expect("the stream still does not exist");
}

pub(super) async fn the_size_limits_are_enforced(store: Store) {
    let name = stream("large");
    let of_sizes = |sizes: &[usize], number| {
        let sized = |(n, bytes): (u32, &usize)| {
            event_of(&name, number, n, "thing.happened", Bytes::from(vec![b' '; *bytes]))
        };
        Append {
            stream: name.clone(),
            expected: Expected::Any,
            events: (0..).zip(sizes).map(sized).collect(),
        }
    };
    store.append(of_sizes(&[EVENT_BYTES_MAX], 1)).await.expect("the largest event");
    assert!(
        is_too_large(&store.append(of_sizes(&[EVENT_BYTES_MAX + 1], 2)).await),
        "an event over the limit is rejected"
    );
    let full = [EVENT_BYTES_MAX; APPEND_BYTES_MAX / EVENT_BYTES_MAX];
    store.append(of_sizes(&full, 3)).await.expect("the largest sum of events");
    let over = [full.as_slice(), &[1]].concat();
    assert!(
        is_too_large(&store.append(of_sizes(&over, 4)).await),
        "a sum of events over the limit is rejected"
    );
    let most = u32::try_from(APPEND_EVENTS_MAX).expect("the limit fits into 32 bits");
    append(&store, "batch", Expected::NoStream, 5, most).await.expect("the most events");
    assert!(
        is_too_large(&append(&store, "batch", Expected::Any, 6, most + 1).await),
        "more events than the limit are rejected"
    );
    let read = store.read_stream(&name, Revision::FIRST, 100).await.expect("a read");
    assert!(
        read.iter().all(|event| event.event.data.len() == EVENT_BYTES_MAX),
        "large events are read completely"
    );
    assert_eq!(read.len(), 1 + full.len(), "the stream holds no event of a rejected append");
    let found =
        store.find_command(&stream("batch"), command(5)).await.expect("a lookup").expect("it is found");
    assert_eq!(found.last_revision.0 + 1, u64::from(most), "the last event of the largest command is found");
    let page = store.read_all(Position::START, 1, &Filter::all()).await.expect("a read");
    assert_eq!(page.events.len(), 1, "a page of one event can hold the largest event");
    store.append(of_sizes(&full, 7)).await.expect("a second append of the same size");
    store.append(of_sizes(&full, 8)).await.expect("a third append of the same size");
    let page = store.read_stream(&name, Revision::FIRST, 100).await.expect("a read");
    assert_eq!(page.len(), READ_BYTES_MAX / EVENT_BYTES_MAX, "a page of a stream ends at the limit of bytes");
    assert!(is_full_page(&page, 100), "the page is full, so more events may follow");
    let rest = store.read_stream(&name, Revision(page.len() as u64), 100).await.expect("a read");
    assert_eq!(page.len() + rest.len(), 1 + 3 * full.len(), "the next page has the remaining events");
    assert!(!is_full_page(&rest, 100), "the page is not full, so no events follow");
    assert_eq!(
        count_events(&store).await,
        1 + 3 * full.len() + APPEND_EVENTS_MAX,
        "the log holds the events of all successful appends"
    );
}
