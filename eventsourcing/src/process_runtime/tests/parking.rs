//! Instances that can't take an event, and all others.

use super::*;
use crate::parking::Skip;

/// Two things whose parts are made, and which wait to be painted.
fn waiting_for_paint() -> (World, ProcessRuntime<Make>) {
    let mut world = World::new(None, false);
    world.happens("a", &made_of(1), 1);
    world.happens("b", &made_of(1), 2);
    let mut runtime = world.restart();
    for _ in 0..20 {
        runtime.on_events(&world.log).unwrap();
        world.out.extend(runtime.step(world.now));
        while !world.out.is_empty() {
            world.carry_out(0, &mut runtime);
        }
    }
    assert_eq!(runtime.open_instances(), 2);
    (world, runtime)
}

/// The last event, spoilt.
fn spoil(world: &mut World) {
    world.log.last_mut().unwrap().event.data = b"[".as_slice().into();
}

fn closed(world: &World) -> Vec<&str> {
    world.of_type("thing.closed").into_iter().map(|event| event.stream.id()).collect()
}

/// Lets everything happen that can.
fn go_on(world: &mut World, runtime: &mut ProcessRuntime<Make>) {
    for _ in 0..10 {
        runtime.on_events(&world.log).unwrap();
        world.out.extend(runtime.step(world.now));
        while !world.out.is_empty() {
            world.carry_out(0, runtime);
        }
    }
}

#[test]
fn an_instance_before_an_unreadable_event_stands_still_and_the_others_go_on() {
    let (mut world, mut runtime) = waiting_for_paint();
    world.happens("a", &Painted {}.into(), 90);
    spoil(&mut world);
    let poisoned = world.log.last().unwrap().clone();
    world.happens("b", &Painted {}.into(), 91);
    let Err(ProcessError::Poisoned { poison, .. }) = runtime.on_events(&world.log) else {
        panic!("it can't be read")
    };
    let entity = Entity::Stream(StreamName::new("thing", "a"));
    assert_eq!((&poison.entity, poison.position, poison.can_be_skipped), (&entity, poisoned.position, true));
    assert_eq!(runtime.instance_of(&world.log[0]), Some("a".to_owned()));
    runtime.park(Parked { poison: *poison, keys: vec!["a".to_owned()], since: world.now });
    // The deadline passes meanwhile: it is not lost, and decides nothing yet.
    world.now += jiff::SignedDuration::from_secs(120);
    go_on(&mut world, &mut runtime);
    assert_eq!(closed(&world), ["b"]);
    let change = runtime.change();
    assert_eq!(change.parking.waiting, [(entity.clone(), poisoned.position)]);
    assert_eq!(change.parking.parked.len(), 1);
    runtime.saved();

    let waited = [poisoned.clone()];
    runtime.retry(&entity, &waited, world.now).unwrap_err();
    assert!(runtime.parked(&entity).is_some(), "it can't be read still");
    runtime.skip(Skip { stream: poisoned.stream.clone(), revision: poisoned.revision, key: None });
    runtime.retry(&entity, &waited, world.now).unwrap();
    assert_eq!(runtime.parked(&entity), None);
    go_on(&mut world, &mut runtime);
    assert_eq!(closed(&world), ["b", "a"], "the deadline decides now");
}

#[test]
fn what_was_parked_is_parked_after_a_restart_until_it_can_be_read() {
    let (mut world, mut runtime) = waiting_for_paint();
    world.happens("a", &Painted {}.into(), 90);
    let whole = world.log.last().unwrap().clone();
    spoil(&mut world);
    let Err(ProcessError::Poisoned { poison, .. }) = runtime.on_events(&world.log) else {
        panic!("it can't be read")
    };
    let parked = Parked { poison: *poison, keys: vec!["a".to_owned()], since: world.now };
    runtime.park(parked.clone());
    runtime.on_events(&world.log).unwrap();
    let ProcessChange { rows, checkpoint, .. } = runtime.change();
    let rows = rows.into_iter().filter_map(|(id, row)| Some((id, row?))).collect();

    let stored = ProcessRows { rows, parked: vec![parked.clone()], checkpoint };
    let mut runtime = ProcessRuntime::<Make>::restore(stored).unwrap();
    runtime.on_events(&world.log).unwrap();
    runtime.go_live();
    world.out.clear();
    go_on(&mut world, &mut runtime);
    assert_eq!(closed(&world), Vec::<&str>::new());
    // A program that can read it.
    runtime.retry(&parked.poison.entity, &[whole], world.now).unwrap();
    go_on(&mut world, &mut runtime);
    assert_eq!(closed(&world), ["a"]);
}
