//! Tests of rules that panic on a command: only this command fails.

use super::*;

#[test]
fn a_panic_on_one_command_does_not_fail_the_others_of_its_batch() {
    for (exclusive, broken) in
        [(true, DECIDE_PANICS), (true, EVOLVE_PANICS), (false, DECIDE_PANICS), (false, EVOLVE_PANICS)]
    {
        let mut rig = Rig::new(exclusive);
        rig.send(1, take(1, 1));
        // These commands arrive while the first is being appended, and become one batch.
        for ticket in 2..=9 {
            let units = if ticket == 5 { broken } else { 1 };
            rig.send(ticket, take(u128::from(ticket), units));
        }
        rig.drain();
        assert_eq!(rig.answers.len(), 9, "every command is answered");
        for ticket in 1..=9 {
            let is_broken = matches!(rig.answers[&ticket], Err(CommandError::Undecided { .. }));
            assert_eq!(is_broken, ticket == 5, "{:?}", rig.answers[&ticket]);
        }
        let taken: u32 = fold(&rig.log[&shelf()]);
        assert_eq!(taken, 8);
    }
}

#[test]
fn a_repeat_is_answered_with_the_earlier_result_even_if_the_rules_now_panic_on_it() {
    let mut rig = Rig::new(true);
    rig.send(1, take(7, 1).repeatable());
    rig.drain();
    for broken in [DECIDE_PANICS, EVOLVE_PANICS] {
        rig.send(2, take(7, broken).repeatable());
        rig.drain();
        assert_eq!(rig.answers.remove(&2).unwrap().unwrap().completion, Completion::Repeated);
        rig.send(3, take(8, broken).repeatable());
        rig.drain();
        let answer = rig.answers.remove(&3).unwrap();
        assert!(matches!(answer, Err(CommandError::Undecided { .. })), "the command was never done");
    }
}

#[test]
fn a_stored_event_that_cannot_be_applied_fails_all_waiting_commands() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 1));
    rig.drain();
    let mut bad_event = rig.log[&shelf()][0].clone();
    bad_event.revision = Revision(1);
    bad_event.event.data = crate::payload::encode_json(&Taken { units: EVOLVE_PANICS });
    rig.log.get_mut(&shelf()).unwrap().push(bad_event);
    rig.executor = Executor::new(1, true);
    for ticket in 2..=4 {
        rig.send(ticket, take(u128::from(ticket), 1));
    }
    rig.drain();
    for ticket in 2..=4 {
        assert!(matches!(rig.answers[&ticket], Err(CommandError::Store(StoreError::Damaged(_)))));
    }
}

fn fold(events: &[RecordedEvent]) -> u32 {
    events.iter().fold(0, |taken, event| Shelf::evolve(taken, &event.decode().unwrap()))
}
