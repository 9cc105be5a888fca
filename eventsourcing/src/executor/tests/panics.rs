//! Rules that panic: one command is answered so, and no other suffers from it.

use super::*;

#[test]
fn a_panic_in_one_decision_leaves_no_other_of_its_batch_without_an_answer() {
    for (exclusive, broken) in [(true, BROKEN), (true, SPOILING), (false, BROKEN), (false, SPOILING)] {
        let mut rig = Rig::new(exclusive);
        rig.send(1, take(1, 1));
        // These come while the first is on its way, and make one batch.
        for ticket in 2..=9 {
            let units = if ticket == 5 { broken } else { 1 };
            rig.send(ticket, take(u128::from(ticket), units));
        }
        rig.drain();
        assert_eq!(rig.answers.len(), 9, "everybody is answered");
        for ticket in 1..=9 {
            let is_broken = matches!(rig.answers[&ticket], Err(CommandError::Undecided { .. }));
            assert_eq!(is_broken, ticket == 5, "{:?}", rig.answers[&ticket]);
        }
        let taken: u32 = fold(&rig.log[&shelf()]);
        assert_eq!(taken, 8);
    }
}

#[test]
fn a_repeat_on_which_the_rules_panic_by_now_is_answered_as_done() {
    let mut rig = Rig::new(true);
    rig.send(1, take(7, 1).repeatable());
    rig.drain();
    for broken in [BROKEN, SPOILING] {
        rig.send(2, take(7, broken).repeatable());
        rig.drain();
        assert_eq!(rig.answers.remove(&2).unwrap().unwrap().completion, Completion::Repeated);
        rig.send(3, take(8, broken).repeatable());
        rig.drain();
        let answer = rig.answers.remove(&3).unwrap();
        assert!(matches!(answer, Err(CommandError::Undecided { .. })), "it was never done");
    }
}

#[test]
fn a_recorded_event_that_cannot_be_folded_is_told_to_everybody_who_waits() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 1));
    rig.drain();
    let mut spoilt = rig.log[&shelf()][0].clone();
    spoilt.revision = Revision(1);
    spoilt.event.data = crate::payload::encode_json(&Taken { units: SPOILING });
    rig.log.get_mut(&shelf()).unwrap().push(spoilt);
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
