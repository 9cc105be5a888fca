//! Simulation of the complete shop in one process. The real step functions of executors, processes and
//! projections run on a simulated disk, clock and payment provider. Each seed makes one run.
//!
//! A run is a sequence of steps. The seed selects each step from those that are possible: a group of appends
//! is written, a sync succeeds or fails, a page is read, a process decides, a command is delivered once or
//! twice, the provider responds late, a person's key is destroyed, the clock jumps, or the whole program is
//! killed. After each step, the simulation checks the rules that always hold. At the end, when the shop has
//! come to rest (no work is left), stock and money must match the orders, and the data of erased people must
//! be unreadable.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is the failure message of a run")]

mod buyers;
mod chance;
mod disk;
mod effects;
mod erasures;
mod executors;
mod following;
mod golden;
mod inputs;
mod keys;
mod models;
mod process;
mod rest;
mod task;
mod world;

pub use golden::{Program, logs};

use std::collections::BTreeMap;

use chance::Chance;
use souk_eventsourcing::RecordedEvent;
use world::World;

/// Number of steps of a run before it comes to rest.
const STEPS: u32 = 3_000;

/// Executes the run of a seed. Returns the number of events.
///
/// # Panics
/// If a check fails.
pub fn run(seed: u64) -> usize {
    finished_run(seed).events()
}

/// Executes the run of a seed. Returns the number of events by type.
pub fn event_types(seed: u64) -> BTreeMap<String, usize> {
    finished_run(seed).event_types()
}

/// Executes the run of a seed, then checks that a process requests the same actions in whatever way it reads
/// the log of the run: in pages of any size, twice, or after a restart. Returns the number of these actions.
pub fn check_ways_of_reading(seed: u64) -> usize {
    finished_run(seed).check_ways_of_reading()
}

/// Continues with the log of an earlier program until the shop has come to rest. There are no stored rows of
/// processes, so their state is rebuilt from the log. Returns the number of added events.
pub fn resume(log: &[RecordedEvent], seed: u64, program: Program) -> usize {
    let mut world = World::resume(log.to_vec(), seed, program.processes());
    world.run_until_idle();
    world.check_books();
    world.events() - log.len()
}

/// Makes the same check for the log of a finished run.
pub fn check_ways_of_reading_log(log: &[RecordedEvent]) {
    let Some(last) = log.last() else { return };
    inputs::check(log, last.event.recorded_at, &mut Chance::new(log.len() as u64));
}

/// Returns the world after the run of a seed, at rest.
fn finished_run(seed: u64) -> World {
    let mut world = World::open(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.come_to_rest();
    world
}

/// Returns the trace of a run, to compare it with another run of the same seed.
pub fn trace(seed: u64) -> Vec<String> {
    World::trace(seed, STEPS)
}

/// Places one order, kills the program after some steps, and lets the shop come to rest, without other
/// faults. `variant` selects the lines, the payment token and the address of the order. Returns the number of
/// events at the time of the kill.
pub fn kill_during_order(variant: u8, steps: u32) -> usize {
    let mut world = World::open(u64::from(variant));
    world.disable_faults();
    world.place(variant);
    for _ in 0..steps {
        world.work();
    }
    let events = world.events();
    world.kill();
    world.come_to_rest();
    events
}
