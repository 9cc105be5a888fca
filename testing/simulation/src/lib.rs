//! The whole loop in one process: the kernel's own step functions over a simulated disk, clock and payment
//! provider, one seed a run.
//!
//! A run is a sequence of steps, each chosen by the seed from whatever could happen next: a group is
//! written, a sync returns or fails, a page is read, a process decides, a command is delivered or
//! delivered twice, the provider answers late, somebody's key is destroyed, the clock jumps, everything is
//! killed. After each step what must hold at any moment is checked; at rest the books must balance, and
//! whoever is erased must be forgotten.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a run that can't go on says where")]

mod buyers;
mod chance;
mod desk;
mod disk;
mod erasures;
mod following;
mod golden;
mod inputs;
mod keys;
mod models;
mod process;
mod rest;
mod world;

pub use golden::{Program, logs};

use std::collections::BTreeMap;

use chance::Chance;
use souk_eventsourcing::RecordedEvent;
use world::World;

/// Steps until a run is let come to rest.
const STEPS: u32 = 3_000;

/// One run from its seed, which panics when something doesn't hold; tells how many events came of it.
pub fn run(seed: u64) -> usize {
    rested(seed).events()
}

/// One run, and how often each type of event came of it.
pub fn event_types(seed: u64) -> BTreeMap<String, usize> {
    rested(seed).event_types()
}

/// One run, whose log each process then reads in other ways; tells how much they wanted on the way.
pub fn read_in_other_ways(seed: u64) -> usize {
    rested(seed).check_inputs()
}

/// A program goes on with the log of an earlier one, whose rows are gone, until all has come to rest and the
/// books balance; tells how many events it added.
pub fn resumed(log: &[RecordedEvent], seed: u64, program: Program) -> usize {
    let mut world = World::resume(log.to_vec(), seed, program.checkout());
    world.settle();
    world.check_books();
    world.events() - log.len()
}

/// The processes read a log that is at rest, in other ways each.
pub fn read_by_processes(log: &[RecordedEvent]) {
    let Some(last) = log.last() else { return };
    inputs::check(log, last.event.recorded_at, &mut Chance::new(log.len() as u64));
}

/// A world after its run.
fn rested(seed: u64) -> World {
    let mut world = World::open(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.come_to_rest();
    world
}

/// What a run did, to be held to another of the same seed.
pub fn told(seed: u64) -> Vec<String> {
    World::told(seed, STEPS)
}

/// One order of a kind, a kill after so many steps, and otherwise nothing that fails; tells how many events
/// there were by then.
pub fn killed_after(how: u8, steps: u32) -> usize {
    let mut world = World::open(u64::from(how));
    world.without_faults();
    world.place(how);
    for _ in 0..steps {
        world.work();
    }
    let events = world.events();
    world.kill();
    world.come_to_rest();
    events
}
