use souk_domain::order_notes::event::{Removed, Resealed, Rewritten, Written};
use souk_domain::{CustomerId, NoteId};
use souk_eventsourcing::{Person, Personal, StreamName};
use uuid::Uuid;

use super::*;
use crate::testing::{History, ada, golden, order, row};

fn stream() -> StreamName {
    order_notes::OrderNotes::stream(order(5))
}

fn note(number: u128) -> NoteId {
    NoteId(Uuid::from_u128(number))
}

fn staff(name: &str) -> CustomerId {
    CustomerId::parse(name).unwrap()
}

fn sealed_for(person: Person, text: &str) -> Personal<String> {
    Personal::new(person, "text", text.to_owned())
}

fn written(number: u128, text: &str) -> OrderNotesEvent {
    let text = sealed_for(order(5).guest(), text);
    Written { note: note(number), author: staff("ops"), text }.into()
}

fn rewritten(number: u128, text: &str) -> OrderNotesEvent {
    let text = sealed_for(order(5).guest(), text);
    Rewritten { note: note(number), author: staff("bob"), text }.into()
}

#[test]
fn golden() {
    let resealed = Resealed { note: note(7), text: sealed_for(ada().person(), "called Ada") };
    let history = History::default()
        .then(&stream(), written(7, "call Ada"))
        .then(&stream(), written(8, "gift"))
        .noted(&stream())
        .then(&stream(), rewritten(7, "called Ada"))
        .then(&stream(), OrderNotesEvent::from(resealed))
        .then(&stream(), OrderNotesEvent::from(Removed { note: note(8) }));
    golden!(OrderNotes, history);
}

#[test]
fn a_removed_note_has_no_row() {
    let history = History::default().then(&stream(), written(7, "call Ada"));
    let key = note(7).to_string();
    assert!(row::<OrderNotes>(&history, &key).is_some());
    let history = history.then(&stream(), OrderNotesEvent::from(Removed { note: note(7) }));
    assert!(row::<OrderNotes>(&history, &key).is_none());
}
