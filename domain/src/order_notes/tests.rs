use souk_eventsourcing::testkit::{context, fold, given, noon};
use souk_eventsourcing::{Person, Personal};
use uuid::Uuid;

use super::event::{Removed, Resealed, Rewritten, Written};
use super::*;
use crate::limits::NOTES_MAX;
use crate::{CustomerId, NoteId};

pub(super) fn author(name: &str) -> CustomerId {
    CustomerId::parse(name).unwrap()
}

pub(super) fn text(text: &str) -> Personal<String> {
    Personal::new(Person::new("order", "1"), "text", text.to_owned())
}

pub(super) fn write(words: &str) -> OrderNotesCommand {
    OrderNotesCommand::Write { author: author("ops"), text: text(words) }
}

fn note(n: u128) -> NoteId {
    NoteId(Uuid::from_u128(n))
}

fn written(n: u128, words: &str) -> OrderNotesEvent {
    Written { note: note(n), author: author("ops"), text: text(words) }.into()
}

fn rewrite(n: u128, words: &str, equal: Option<&str>) -> OrderNotesCommand {
    OrderNotesCommand::Rewrite {
        note: note(n),
        author: author("bob"),
        text: text(words),
        equal: equal.map(text),
    }
}

fn rewritten(n: u128, words: &str) -> OrderNotesEvent {
    Rewritten { note: note(n), author: author("bob"), text: text(words) }.into()
}

fn removed(n: u128) -> OrderNotesEvent {
    Removed { note: note(n) }.into()
}

#[test]
fn the_id_of_a_note_is_derived_from_the_command() {
    let id = NoteId(context(1, noon()).derived_id("note"));
    let event = Written { note: id, author: author("ops"), text: text("call Ada") };
    given::<OrderNotes>(&[]).when(&write("call Ada")).then(&[event.into()]);
}

#[test]
fn a_note_is_rewritten_by_another_author() {
    let events = [written(1, "call Ada")];
    given::<OrderNotes>(&events).when(&rewrite(1, "called", None)).then(&[rewritten(1, "called")]);
    given::<OrderNotes>(&events).when(&rewrite(2, "called", None)).then_refused("note-not-found");
}

#[test]
fn rewriting_with_the_same_text_changes_nothing() {
    let same = rewrite(1, "call Ada", Some("call Ada"));
    given::<OrderNotes>(&[written(1, "call Ada")]).when(&same).then_nothing();
    // Another request has rewritten the note after the texts were compared.
    let events = [written(1, "call Ada"), rewritten(1, "called")];
    given::<OrderNotes>(&events).when(&same).then(&[rewritten(1, "call Ada")]);
}

#[test]
fn a_note_is_removed_once() {
    let remove = OrderNotesCommand::Remove { note: note(1) };
    let events = [written(1, "call Ada"), removed(1)];
    given::<OrderNotes>(&events[..1]).when(&remove).then(&[removed(1)]);
    given::<OrderNotes>(&events).when(&remove).then_refused("note-not-found");
    given::<OrderNotes>(&events).when(&rewrite(1, "called", None)).then_refused("note-not-found");
}

#[test]
fn an_order_has_a_limited_number_of_notes() {
    let mut events: Vec<_> = (0..NOTES_MAX as u128).map(|n| written(n, "a note")).collect();
    given::<OrderNotes>(&events).when(&write("one more")).then_refused("too-many-notes");
    events.push(removed(7));
    assert!(
        OrderNotes::decide(&fold::<OrderNotes>(&events), &write("one more"), &context(1, noon())).is_ok()
    );
}

#[test]
fn a_text_is_sealed_again_for_another_person_unless_it_changed_meanwhile() {
    let of_customer = |words: &str| Personal::new(Person::new("customer", "ada"), "text", words.to_owned());
    let reseal = |stored: Personal<String>| OrderNotesCommand::Reseal {
        note: note(1),
        stored,
        text: of_customer("call Ada"),
    };
    let resealed: OrderNotesEvent = Resealed { note: note(1), text: of_customer("call Ada") }.into();
    let events = [written(1, "call Ada")];
    given::<OrderNotes>(&events).when(&reseal(text("call Ada"))).then(std::slice::from_ref(&resealed));
    given::<OrderNotes>(&events).when(&reseal(text("called"))).then_nothing();
    given::<OrderNotes>(&[]).when(&reseal(text("call Ada"))).then_nothing();
    let twice = [written(1, "call Ada"), resealed];
    given::<OrderNotes>(&twice).when(&reseal(of_customer("call Ada"))).then_nothing();
    let guest = Person::new("order", "1");
    assert_eq!(fold::<OrderNotes>(&events).sealed_for(&guest).count(), 1);
    assert_eq!(fold::<OrderNotes>(&twice).sealed_for(&guest).count(), 0);
}

#[test]
fn debug_prints_no_text() {
    let shown = format!("{:?} {:?}", write("call Ada"), fold::<OrderNotes>(&[written(1, "call Ada")]));
    assert!(!shown.contains("Ada"), "{shown}");
}
