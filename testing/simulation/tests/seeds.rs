//! Simulated runs, one for each seed. If a run fails, the test prints its seed.
//! `SOUK_SEED=17 cargo test -p souk-simulation` repeats the run step by step, and `SOUK_SEEDS=10000` sets the
//! number of runs.

#![allow(clippy::unwrap_used, reason = "a panic is the failure message of a test")]

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use souk_simulation::{check_ways_of_reading, event_types, kill_during_order, run, trace};

/// Default number of runs.
const SEEDS: u64 = 500;
/// Number of runs whose events are counted by type.
const SEEDS_OF_TYPES: u64 = 150;
/// Number of runs whose log is read in different ways.
const SEEDS_OF_INPUTS: u64 = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

// Proves: inventory.never-oversold
// Proves: orders.crash-safe
#[test]
fn stock_and_money_match_the_orders_after_all_faults() {
    let seeds = match number("SOUK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SOUK_SEEDS").unwrap_or(SEEDS),
    };
    let mut events = 0;
    let mut runs = 0;
    for seed in seeds {
        match catch_unwind(|| run(seed)) {
            Ok(run_events) => events += run_events,
            Err(panic) => {
                eprintln!("seed {seed} failed: repeat it with SOUK_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
        runs += 1;
    }
    println!("{runs} seeds, {events} events");
    // The books of runs that do almost nothing would match too.
    assert!(events > runs * 50, "only {events} events in {runs} runs");
}

#[test]
fn actions_of_a_process_do_not_depend_on_how_it_read_the_log() {
    let actions: usize = (0..SEEDS_OF_INPUTS).map(check_ways_of_reading).sum();
    assert!(actions > 1_000, "the processes asked for only {actions} actions");
}

/// Guards the tests above, because they would also pass if no order was ever confirmed.
#[test]
fn runs_reach_every_final_status_of_orders_and_payments() {
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..SEEDS_OF_TYPES {
        for (event_type, times) in event_types(seed) {
            *reached.entry(event_type).or_default() += times;
        }
    }
    println!("{reached:?}");
    for (event_type, minimum) in [
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
        assert!(
            times >= minimum,
            "{event_type} happened {times} times in {SEEDS_OF_TYPES} runs, expected at least {minimum}"
        );
    }
}

#[test]
fn the_same_seed_repeats_the_same_run() {
    assert_eq!(trace(11), trace(11));
    assert_ne!(trace(11), trace(12));
}

// Proves: orders.crash-safe
#[test]
fn orders_of_every_kind_survive_a_kill_after_any_step() {
    for variant in (0..42).step_by(2) {
        let events: Vec<usize> = (0..140).map(|steps| kill_during_order(variant, steps)).collect();
        assert!(events.last() > events.first(), "order {variant} makes no progress in 140 steps");
    }
}
