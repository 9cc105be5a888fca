//! Golden logs that earlier commits wrote. The current program must be able to continue with each of them,
//! from any event in it.

#![allow(clippy::unwrap_used, reason = "a panic is the failure message of a test")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use souk_eventsourcing::RecordedEvent;
use souk_simulation::{Program, check_ways_of_reading_log, logs, resume};

/// Number of points in each log from which a program continues, in addition to the first one, which is the
/// point at which the shop has its stock.
const POINTS: usize = 8;

fn golden_logs() -> Vec<BTreeMap<String, Vec<RecordedEvent>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let compressed = files.filter(|path| path.extension().is_some_and(|extension| extension == "gz"));
    let golden_logs: Vec<_> = compressed
        .map(|path| {
            let mut text = String::new();
            GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
            logs(&text)
        })
        .collect();
    assert!(!golden_logs.is_empty());
    golden_logs
}

/// Returns the length of a log up to the event that counts the last stock. In a shorter log, stock can't
/// match the orders.
fn length_with_stock(log: &[RecordedEvent]) -> usize {
    log.iter().rposition(|event| event.event_type() == "stock.counted").unwrap() + 1
}

/// Increases a length so that it does not split an append, because all events of an append are written
/// together.
fn without_split_append(log: &[RecordedEvent], mut length: usize) -> usize {
    let append_of = |index: usize| (&log[index].stream, log[index].event.command_id);
    while length < log.len() && append_of(length) == append_of(length - 1) {
        length += 1;
    }
    length
}

fn continue_golden_logs(program: Program) {
    let mut runs = 0;
    let mut events = 0;
    for (name, log) in golden_logs().iter().flatten() {
        let from = length_with_stock(log);
        for point in 0..=POINTS {
            let length = without_split_append(log, from + (log.len() - from) * point / POINTS);
            let seed = (length + name.len()) as u64;
            let result = std::panic::catch_unwind(|| resume(&log[..length], seed, program));
            let added = result.unwrap_or_else(|_| panic!("{name} after {length} events, {program:?}"));
            runs += 1;
            events += added;
        }
    }
    assert!(events > runs, "the programs added too few events to prove anything");
}

// Proves: platform.old-data-opens
#[test]
fn the_current_program_continues_every_golden_log_from_many_points() {
    continue_golden_logs(Program::Current);
}

#[test]
fn a_program_whose_checkout_sends_one_more_command_continues_every_golden_log() {
    continue_golden_logs(Program::OneCommandMore);
}

#[test]
fn actions_of_processes_on_a_golden_log_do_not_depend_on_how_they_read_it() {
    for log in golden_logs().iter().flat_map(BTreeMap::values) {
        check_ways_of_reading_log(log);
    }
}
