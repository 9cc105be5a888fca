//! One process at a time over the log of a run: what it takes in must not depend on how it came.
//!
//! After any prefix of the log a process wants the same: whether it read each event once; or each twice, in
//! other portions; or was killed after every event, with the rows that it had saved by then; or came late,
//! with its timers long over.

use souk_eventsourcing::{RecordedEvent, Timestamp};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;

use crate::chance::Chance;
use crate::process::{Kept, Running};

/// Prefixes that are tried of each log, besides the whole of it.
const PREFIXES: usize = 40;

type Fresh = fn() -> Box<dyn Running>;

/// The processes of the shop, by name.
const PROCESSES: [(&str, Fresh); 3] = [
    ("checkout", || Box::new(Kept::<Checkout>::default())),
    ("settlement", || Box::new(Kept::<Settlement>::default())),
    ("reversal", || Box::new(Kept::<ReversalProcess>::default())),
];

/// Panics when what a process wants depends on how it read the log; tells what all of them wanted.
pub(crate) fn check(log: &[RecordedEvent], ends: Timestamp, chance: &mut Chance) -> usize {
    let mut wanted = 0;
    for (name, fresh) in PROCESSES {
        for prefix in 0..=PREFIXES {
            let length = if prefix == PREFIXES { log.len() } else { chance.below(log.len()) };
            let read = &log[..length];
            let now = read.last().map_or(ends, |last| last.event.recorded_at);
            let once = wishes(fed_once(fresh, read), now);
            wanted += once.len();
            let twice = wishes(fed_twice(fresh, read, chance), now);
            assert_eq!(once, twice, "{name} after {length} events, each read twice");
            let killed = wishes(killed_after_each(fresh, read, chance), now);
            assert_eq!(once, killed, "{name} after {length} events, killed after each");
        }
        let late = wishes(fed_once(fresh, log), ends);
        assert!(late.is_empty(), "{name} still wants {late:?} when all has come to rest");
    }
    wanted
}

/// What a process asks for once it follows the log. Ids of what is decided come from the log alone, so they
/// are the same too.
fn wishes(mut process: Box<dyn Running>, now: Timestamp) -> Vec<String> {
    process.go_live();
    let mut wishes: Vec<String> = process.step(now).iter().map(|wish| format!("{wish:?}")).collect();
    wishes.sort();
    wishes
}

fn fed_once(fresh: Fresh, log: &[RecordedEvent]) -> Box<dyn Running> {
    let mut process = fresh();
    process.read(log);
    process
}

/// In portions of any size, each of which begins again somewhere in the one before.
fn fed_twice(fresh: Fresh, log: &[RecordedEvent], chance: &mut Chance) -> Box<dyn Running> {
    let (mut process, mut from) = (fresh(), 0);
    while from < log.len() {
        let to = (from + 1 + chance.below(8)).min(log.len());
        process.read(&log[from - chance.below(from + 1).min(8)..to]);
        process.read(&log[from..to]);
        from = to;
    }
    process
}

/// With rows that were saved after some of the events: what was read since is read again.
fn killed_after_each(fresh: Fresh, log: &[RecordedEvent], chance: &mut Chance) -> Box<dyn Running> {
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
