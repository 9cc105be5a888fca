//! Seeds, one run each. A run that fails says its seed: `SOUK_SEED=17 cargo test -p souk-simulation` repeats
//! it step by step; `SOUK_SEEDS=10000` makes so many runs.

#![allow(clippy::unwrap_used, reason = "a variable that is no number is a mistake of whoever set it")]

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use souk_simulation::{event_types, killed_after, read_in_other_ways, run, told};

/// Seeds of a test run.
const SEEDS: u64 = 500;
/// Seeds whose events are counted.
const SEEDS_OF_TYPES: u64 = 150;
/// Seeds whose logs are read in other ways.
const SEEDS_OF_INPUTS: u64 = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_fails_the_books_balance() {
    let seeds = match number("SOUK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SOUK_SEEDS").unwrap_or(SEEDS),
    };
    let (mut events, mut runs) = (0, 0);
    for seed in seeds {
        match catch_unwind(|| run(seed)) {
            Ok(made) => events += made,
            Err(panic) => {
                eprintln!("seed {seed} failed: repeat it with SOUK_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
        runs += 1;
    }
    println!("{runs} seeds, {events} events");
    // Runs that never get anywhere would balance too.
    assert!(events > runs * 50, "only {events} events in {runs} runs");
}

#[test]
fn what_a_process_wants_does_not_depend_on_how_it_read_the_log() {
    let wanted: usize = (0..SEEDS_OF_INPUTS).map(read_in_other_ways).sum();
    assert!(wanted > 1_000, "nobody wants anything: {wanted}");
}

/// Guards the property: runs in which no order is ever confirmed would balance, too.
#[test]
fn runs_reach_every_end_that_an_order_and_a_payment_can_have() {
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..SEEDS_OF_TYPES {
        for (event_type, times) in event_types(seed) {
            *reached.entry(event_type).or_default() += times;
        }
    }
    println!("{reached:?}");
    for (event_type, least) in [
        ("order.confirmed", 100),
        ("order.cancelled", 50),
        ("order.timed-out", 20),
        ("order.shipped", 8),
        ("order.returned", 8),
        ("reversal.transitioned", 20),
        ("payment.refunded", 20),
        ("payment.refund-failed", 5),
        ("payment.void-failed", 4),
        ("payment.voided", 20),
        ("payment.capture-failed", 5),
        ("order.erased", 5),
    ] {
        let times = reached.get(event_type).copied().unwrap_or_default();
        assert!(times >= least, "{event_type} happened {times} times in {SEEDS_OF_TYPES} runs, not {least}");
    }
}

#[test]
fn a_seed_repeats_its_run() {
    assert_eq!(told(11), told(11));
    assert_ne!(told(11), told(12));
}

#[test]
fn a_kill_after_any_step_of_an_order_of_any_kind_is_survived() {
    for how in (0..42).step_by(2) {
        let reached: Vec<usize> = (0..140).map(|steps| killed_after(how, steps)).collect();
        assert!(reached.last() > reached.first(), "order {how} gets nowhere in so few steps");
    }
}
