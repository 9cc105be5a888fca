//! Appends that fail, and outputs that are lost.

use super::*;
use crate::process_runtime::steps::CONFLICTS_MAX;
use crate::store::StoreError;

fn unavailable() -> AppendError {
    AppendError::Store(StoreError::Unavailable("no space".into()))
}

#[test]
fn a_transition_that_the_log_does_not_take_is_tried_again_later_and_later() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let actions = runtime.step(world.now);
        assert!(matches!(actions[..], [Action::Append(..)]), "one attempt at a time");
        assert!(runtime.on_append_failed("a", &unavailable(), world.now).is_none());
        assert!(runtime.step(world.now).is_empty(), "no attempt without a pause");
        let at = runtime.next_step().unwrap();
        waits.push(at.duration_since(world.now));
        world.now = at;
    }
    assert!(waits[0] >= jiff::SignedDuration::from_millis(250), "{waits:?}");
    assert!(waits[11] > waits[0] * 50 && waits[11] < jiff::SignedDuration::from_secs(40), "{waits:?}");
    world.out.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    assert_eq!(world.transitions().len(), 1, "the log is back");
}

#[test]
fn a_command_that_was_lost_is_sent_again_after_a_pause() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    world.out.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    runtime.on_events(&world.log).unwrap();
    for _ in 0..3 {
        let actions = runtime.step(world.now);
        let [Action::Command(out)] = &actions[..] else { panic!("the part is to be made") };
        runtime.on_lost(&out.instance, out.output, world.now);
        assert!(runtime.step(world.now).is_empty());
        world.now = runtime.next_step().unwrap();
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_a_transition_waiting() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    runtime.step(world.now);
    runtime.on_append_failed("a", &unavailable(), world.now);
    let an_hour_ago = world.now - jiff::SignedDuration::from_hours(1);
    assert_eq!(runtime.step(an_hour_ago).len(), 1);
}

/// Two streams that make the same instance id end so: the first has ended, and the second's first transition finds
/// the stream taken.
#[test]
fn an_instance_that_conflicts_with_a_stream_that_never_moves_is_parked() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    let conflict =
        AppendError::Conflict { stream: StreamName::new("order", "a"), current: Some(Revision(0)) };
    let mut poison = None;
    for other in 0..=CONFLICTS_MAX {
        // A second conflict without anything new to read is no proof: the quicker one may not have been read yet.
        for _ in 0..2 {
            let actions = runtime.step(world.now);
            let tries = |action: &Action<_>| matches!(action, Action::Append(id, _) if id == "a");
            assert!(actions.iter().any(tries), "{other}");
            poison = runtime.on_append_failed("a", &conflict, world.now);
            if poison.is_some() {
                break;
            }
            world.now = runtime.next_step().unwrap();
        }
        assert_eq!(poison.is_some(), other == CONFLICTS_MAX);
        let before = world.log.len();
        world.happens(&format!("other-{other}"), &made_of(1), 1);
        runtime.on_events(&world.log[before..]).unwrap();
    }
    assert_eq!(poison.unwrap().entity, Entity::Key("a".into()));
    assert_eq!(runtime.parked_count(), 1);
}

#[test]
fn an_instance_whose_transition_is_too_large_is_parked() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    runtime.step(world.now);
    let too_large = AppendError::TooLarge { what: "size of an event in bytes", actual: 2, limit: 1 };
    let poison = runtime.on_append_failed("a", &too_large, world.now).unwrap();
    assert_eq!(poison.entity, Entity::Key("a".into()));
    assert!(runtime.step(world.now).is_empty() && runtime.parked_count() == 1);
    runtime.retry(&poison.entity, &[], world.now).unwrap();
    assert!(matches!(runtime.step(world.now)[..], [Action::Append(..)]), "released, it decides again");
}
