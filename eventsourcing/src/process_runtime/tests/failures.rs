//! Tests of appends that fail and of outputs that can't be sent.

use super::*;
use crate::process_runtime::steps::CONFLICTS_MAX;
use crate::store::StoreError;

fn unavailable() -> AppendError {
    AppendError::Store(StoreError::Unavailable("no space".into()))
}

#[test]
fn the_wait_before_a_retry_grows_with_each_failed_append_of_a_transition() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let actions = runtime.step(world.now);
        assert!(matches!(actions[..], [Action::Append(..)]), "one attempt at a time");
        assert!(runtime.on_append_failed("a", &unavailable(), world.now).is_none());
        assert!(runtime.step(world.now).is_empty(), "there is no retry without a wait");
        let at = runtime.next_step().unwrap();
        waits.push(at.duration_since(world.now));
        world.now = at;
    }
    assert!(waits[0] >= jiff::SignedDuration::from_millis(250), "{waits:?}");
    assert!(waits[11] > waits[0] * 50 && waits[11] < jiff::SignedDuration::from_secs(40), "{waits:?}");
    world.pending.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    assert_eq!(world.transitions().len(), 1, "the append succeeds once the log is available");
}

#[test]
fn a_command_that_could_not_be_sent_is_sent_again_after_a_wait() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    world.pending.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    runtime.on_events(&world.log).unwrap();
    for _ in 0..3 {
        let actions = runtime.step(world.now);
        let [Action::Command(sent)] = &actions[..] else {
            panic!("the only action is the command to make the part")
        };
        runtime.on_lost(&sent.instance, sent.output, world.now);
        assert!(runtime.step(world.now).is_empty());
        world.now = runtime.next_step().unwrap();
    }
}

#[test]
fn setting_the_clock_back_does_not_delay_a_transition() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    runtime.step(world.now);
    runtime.on_append_failed("a", &unavailable(), world.now);
    let an_hour_ago = world.now - jiff::SignedDuration::from_hours(1);
    assert_eq!(runtime.step(an_hour_ago).len(), 1);
}

/// This happens if two streams lead to the same instance id: the instance of the first stream has ended, and
/// the first transition for the second stream conflicts with its events.
#[test]
fn an_instance_is_parked_if_it_conflicts_with_a_stream_that_does_not_change() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    let conflict =
        AppendError::Conflict { stream: StreamName::new("order", "a"), current: Some(Revision(0)) };
    let mut failure = None;
    for other in 0..=CONFLICTS_MAX {
        // A second conflict at the same position does not count: the competing transition may not be read
        // yet.
        for _ in 0..2 {
            let actions = runtime.step(world.now);
            let is_append = |action: &Action<_>| matches!(action, Action::Append(id, _) if id == "a");
            assert!(actions.iter().any(is_append), "{other}");
            failure = runtime.on_append_failed("a", &conflict, world.now);
            if failure.is_some() {
                break;
            }
            world.now = runtime.next_step().unwrap();
        }
        assert_eq!(failure.is_some(), other == CONFLICTS_MAX);
        let before = world.log.len();
        world.happens(&format!("other-{other}"), &made_of(1), 1);
        runtime.on_events(&world.log[before..]).unwrap();
    }
    assert_eq!(failure.unwrap().entity, Entity::Key("a".into()));
    assert_eq!(runtime.parked_count(), 1);
}

#[test]
fn an_instance_whose_transition_is_too_large_is_parked() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    runtime.step(world.now);
    let too_large = AppendError::TooLarge { what: "size of an event in bytes", actual: 2, limit: 1 };
    let failure = runtime.on_append_failed("a", &too_large, world.now).unwrap();
    assert_eq!(failure.entity, Entity::Key("a".into()));
    assert!(runtime.step(world.now).is_empty() && runtime.parked_count() == 1);
    runtime.retry(&failure.entity, &[], world.now).unwrap();
    assert!(
        matches!(runtime.step(world.now)[..], [Action::Append(..)]),
        "the released instance decides again"
    );
}
