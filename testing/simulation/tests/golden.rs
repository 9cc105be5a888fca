//! Logs that landed commits wrote: today's program goes on with each, from any moment in it.

#![allow(clippy::unwrap_used, reason = "a golden file that can't be read is a mistake of the test")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use souk_eventsourcing::RecordedEvent;
use souk_simulation::{Program, logs, read_by_processes, resumed};

/// Moments of each log from which a program goes on, in a test run.
const MOMENTS: usize = 8;

fn golden() -> Vec<BTreeMap<String, Vec<RecordedEvent>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let packed = files.filter(|path| path.extension().is_some_and(|extension| extension == "gz"));
    let golden: Vec<_> = packed
        .map(|path| {
            let mut text = String::new();
            GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
            logs(&text)
        })
        .collect();
    assert!(!golden.is_empty());
    golden
}

/// The length that a log has once the shop has its stock: only from there on its books can balance.
fn stocked(log: &[RecordedEvent]) -> usize {
    log.iter().rposition(|event| event.event_type() == "stock.counted").unwrap() + 1
}

/// A length that splits no append: its events are in the log together or not at all.
fn whole(log: &[RecordedEvent], mut length: usize) -> usize {
    let append_of = |place: usize| (&log[place].stream, log[place].event.command_id);
    while length < log.len() && append_of(length) == append_of(length - 1) {
        length += 1;
    }
    length
}

fn goes_on(program: Program) {
    let (mut runs, mut events) = (0, 0);
    for (name, log) in golden().iter().flatten() {
        let from = stocked(log);
        for moment in 0..=MOMENTS {
            let length = whole(log, from + (log.len() - from) * moment / MOMENTS);
            let seed = (length + name.len()) as u64;
            let made = std::panic::catch_unwind(|| resumed(&log[..length], seed, program));
            let made = made.unwrap_or_else(|_| panic!("{name} after {length} events, {program:?}"));
            (runs, events) = (runs + 1, events + made);
        }
    }
    assert!(events > runs, "programs that do nothing more show nothing");
}

#[test]
fn todays_program_goes_on_with_every_golden_log_from_any_moment() {
    goes_on(Program::Todays);
}

#[test]
fn a_program_whose_checkout_sends_one_command_more_goes_on_with_every_golden_log() {
    goes_on(Program::OneCommandMore);
}

#[test]
fn what_processes_want_of_a_golden_log_does_not_depend_on_how_they_read_it() {
    for log in golden().iter().flat_map(BTreeMap::values) {
        read_by_processes(log);
    }
}
