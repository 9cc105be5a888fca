//! Checks that the actions of a process do not depend on how it read the log.
//!
//! After any prefix of the log, a process must ask for the same actions if it read each event once, if it
//! read events twice and in pages of other sizes, and if it was killed after every event and restored from
//! its saved rows. A process that reads a finished log after all its timers are due must ask for no action.

use souk_eventsourcing::{RecordedEvent, Timestamp};

use crate::chance::Chance;
use crate::process::{AnyProcess, PROCESSES};

/// Number of prefixes of each log to check, in addition to the complete log.
const PREFIXES: usize = 40;

type Fresh = fn() -> Box<dyn AnyProcess>;

/// Checks all processes on a log that ends at the time `end`. Returns the number of actions that they asked
/// for.
///
/// # Panics
/// If the actions of a process depend on how it read the log.
pub(crate) fn check(log: &[RecordedEvent], end: Timestamp, chance: &mut Chance) -> usize {
    let mut action_count = 0;
    for fresh in PROCESSES.iter().copied() {
        let name = fresh().name();
        for prefix in 0..=PREFIXES {
            let length = if prefix == PREFIXES { log.len() } else { chance.below(log.len()) };
            let read = &log[..length];
            let now = read.last().map_or(end, |last| last.event.recorded_at);
            let once = actions(read_once(fresh, read), now);
            action_count += once.len();
            let twice = actions(read_twice(fresh, read, chance), now);
            assert_eq!(once, twice, "{name} after {length} events, each read twice");
            let killed = actions(killed_after_each_event(fresh, read, chance), now);
            assert_eq!(once, killed, "{name} after {length} events, killed after each event");
        }
        let late = actions(read_once(fresh, log), end);
        assert!(late.is_empty(), "{name} still asks for {late:?} although the shop is at rest");
    }
    action_count
}

/// Returns the actions of a process that has caught up with the log. Their ids are derived from the log, so
/// they must be equal too.
fn actions(mut process: Box<dyn AnyProcess>, now: Timestamp) -> Vec<String> {
    process.go_live();
    let mut actions: Vec<String> = process.step(now).iter().map(|action| format!("{action:?}")).collect();
    actions.sort();
    actions
}

fn read_once(fresh: Fresh, log: &[RecordedEvent]) -> Box<dyn AnyProcess> {
    let mut process = fresh();
    process.read(log);
    process
}

/// Reads the log in pages of random size. Each page is read a second time, together with some events before
/// it.
fn read_twice(fresh: Fresh, log: &[RecordedEvent], chance: &mut Chance) -> Box<dyn AnyProcess> {
    let mut process = fresh();
    let mut from = 0;
    while from < log.len() {
        let to = (from + 1 + chance.below(8)).min(log.len());
        process.read(&log[from - chance.below(from + 1).min(8)..to]);
        process.read(&log[from..to]);
        from = to;
    }
    process
}

/// Kills the process after each event. Its rows are saved after some of the events, and it reads the events
/// since then again.
fn killed_after_each_event(fresh: Fresh, log: &[RecordedEvent], chance: &mut Chance) -> Box<dyn AnyProcess> {
    let mut process = fresh();
    for read in 1..=log.len() {
        let from = usize::try_from(process.position().0).unwrap();
        process.read(&log[from..read]);
        if chance.once_in(3) {
            process.save();
        }
        process.restart();
    }
    let from = usize::try_from(process.position().0).unwrap();
    process.read(&log[from..]);
    process
}
