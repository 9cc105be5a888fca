//! Tests of an instance that an event parks, and of another instance that continues.

use super::*;
use crate::parking::Skip;

/// Returns a world with two things, `a` and `b`. All commands for them are answered; both wait for `Painted`.
fn waiting_for_paint() -> (World, ProcessRuntime<Make>) {
    let mut world = World::new(None, false);
    world.happens("a", &made_of(1), 1);
    world.happens("b", &made_of(1), 2);
    let mut runtime = world.restart();
    for _ in 0..20 {
        runtime.on_events(&world.log).unwrap();
        world.pending.extend(runtime.step(world.now));
        while !world.pending.is_empty() {
            world.carry_out(0, &mut runtime);
        }
    }
    assert_eq!(runtime.open_instances(), 2);
    (world, runtime)
}

/// Replaces the payload of the last event by invalid JSON.
fn make_last_event_unreadable(world: &mut World) {
    world.log.last_mut().unwrap().event.data = b"[".as_slice().into();
}

fn closed(world: &World) -> Vec<&str> {
    world.of_type("thing.closed").into_iter().map(|event| event.stream.id()).collect()
}

/// Reads the log and carries out actions ten times, which is enough to leave nothing to do.
fn run_all(world: &mut World, runtime: &mut ProcessRuntime<Make>) {
    for _ in 0..10 {
        runtime.on_events(&world.log).unwrap();
        world.pending.extend(runtime.step(world.now));
        while !world.pending.is_empty() {
            world.carry_out(0, runtime);
        }
    }
}

// Proves: platform.parked-rows
#[test]
fn an_unreadable_event_parks_its_instance_and_the_others_continue() {
    let (mut world, mut runtime) = waiting_for_paint();
    world.happens("a", &Painted {}.into(), 90);
    make_last_event_unreadable(&mut world);
    let failed_event = world.log.last().unwrap().clone();
    world.happens("b", &Painted {}.into(), 91);
    let Err(ProcessError::ApplyFailed { failure, .. }) = runtime.on_events(&world.log) else {
        panic!("the event can't be decoded")
    };
    let entity = Entity::Stream(StreamName::new("thing", "a"));
    assert_eq!(
        (&failure.entity, failure.position, failure.can_be_skipped),
        (&entity, failed_event.position, true)
    );
    assert_eq!(runtime.instance_of(&world.log[0]), Some("a".to_owned()));
    runtime.park(Parked { failure: *failure, keys: vec!["a".to_owned()], since: world.now });
    // The deadline passes while the instance is parked. The timer is kept, and takes effect when the
    // instance is no longer parked.
    world.now += jiff::SignedDuration::from_secs(120);
    run_all(&mut world, &mut runtime);
    assert_eq!(closed(&world), ["b"]);
    let change = runtime.change();
    assert_eq!(change.parking.waiting, [(entity.clone(), failed_event.position)]);
    assert_eq!(change.parking.parked.len(), 1);
    runtime.saved();

    let waiting = [failed_event.clone()];
    runtime.retry(&entity, &waiting, world.now).unwrap_err();
    assert!(runtime.parked(&entity).is_some(), "the event still can't be decoded");
    runtime.skip(Skip { stream: failed_event.stream.clone(), revision: failed_event.revision, key: None });
    runtime.retry(&entity, &waiting, world.now).unwrap();
    assert_eq!(runtime.parked(&entity), None);
    run_all(&mut world, &mut runtime);
    assert_eq!(closed(&world), ["b", "a"], "the deadline takes effect when the instance is no longer parked");
}

#[test]
fn an_instance_stays_parked_after_a_restart_until_its_event_can_be_decoded() {
    let (mut world, mut runtime) = waiting_for_paint();
    world.happens("a", &Painted {}.into(), 90);
    let readable = world.log.last().unwrap().clone();
    make_last_event_unreadable(&mut world);
    let Err(ProcessError::ApplyFailed { failure, .. }) = runtime.on_events(&world.log) else {
        panic!("the event can't be decoded")
    };
    let parked = Parked { failure: *failure, keys: vec!["a".to_owned()], since: world.now };
    runtime.park(parked.clone());
    runtime.on_events(&world.log).unwrap();
    let ProcessChange { rows, checkpoint, .. } = runtime.change();
    let rows = rows.into_iter().filter_map(|(id, row)| Some((id, row?))).collect();

    let stored = ProcessRows { rows, parked: vec![parked.clone()], checkpoint };
    let mut runtime = ProcessRuntime::<Make>::restore(stored).unwrap();
    runtime.on_events(&world.log).unwrap();
    runtime.go_live();
    world.pending.clear();
    run_all(&mut world, &mut runtime);
    assert_eq!(closed(&world), Vec::<&str>::new());
    // A later program can decode the event.
    runtime.retry(&parked.failure.entity, &[readable], world.now).unwrap();
    run_all(&mut world, &mut runtime);
    assert_eq!(closed(&world), ["a"]);
}
