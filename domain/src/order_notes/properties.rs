//! Compares the notes on an order with a plain model: the text of each note. No note is lost or duplicated,
//! whatever commands arrive in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use souk_eventsourcing::testkit::{context, noon};
use uuid::Uuid;

use super::tests::{author, text, write};
use super::*;
use crate::NoteId;
use crate::limits::NOTES_MAX;

#[derive(Clone, Debug)]
enum Act {
    Write(String),
    /// Rewrites the note with this number. The last field is true if the sender compares the texts first.
    Rewrite(usize, String, bool),
    Remove(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let words = || "[ab]{1,2}";
    let act = prop_oneof![
        4 => words().prop_map(Act::Write),
        2 => (0..250_usize, words(), any::<bool>()).prop_map(|(n, words, is_compared)| {
            Act::Rewrite(n, words, is_compared)
        }),
        1 => (0..250_usize).prop_map(Act::Remove),
    ];
    proptest::collection::vec(act, 0..400)
}

proptest! {
    // Proves: orders.notes
    #[test]
    fn notes_agree_with_the_model(acts in acts()) {
        let mut state = OrderNotesState::default();
        let mut model: BTreeMap<NoteId, String> = BTreeMap::new();
        let mut ids = Vec::new();
        for (number, act) in (1..).zip(acts) {
            let context = context(number, noon());
            let at = |n: usize| ids.get(n).copied().unwrap_or(NoteId(Uuid::nil()));
            let (command, is_allowed, is_change) = match &act {
                Act::Write(words) => (write(words), model.len() < NOTES_MAX, true),
                Act::Rewrite(n, words, is_compared) => {
                    let note = at(*n);
                    let is_equal = *is_compared && model.get(&note) == Some(words);
                    let equal = is_equal.then(|| text(words));
                    let command =
                        OrderNotesCommand::Rewrite { note, author: author("bob"), text: text(words), equal };
                    (command, model.contains_key(&note), !is_equal)
                }
                Act::Remove(n) => {
                    (OrderNotesCommand::Remove { note: at(*n) }, model.contains_key(&at(*n)), true)
                }
            };
            let decision = OrderNotes::decide(&state, &command, &context);
            prop_assert_eq!(decision.is_ok(), is_allowed, "{:?}", act);
            let events = decision.unwrap_or_default();
            prop_assert_eq!(events.len(), usize::from(is_allowed && is_change));
            state = events.iter().fold(state, OrderNotes::evolve);
            if is_allowed {
                match act {
                    Act::Write(words) => {
                        let note = NoteId(context.derived_id("note"));
                        ids.push(note);
                        model.insert(note, words);
                    }
                    Act::Rewrite(n, words, _) => {
                        model.insert(at(n), words);
                    }
                    Act::Remove(n) => {
                        model.remove(&at(n));
                    }
                }
            }
            let expected = model.iter().map(|(note, words)| (*note, text(words)));
            prop_assert_eq!(&state.notes, &expected.collect::<BTreeMap<_, _>>());
        }
    }
}
