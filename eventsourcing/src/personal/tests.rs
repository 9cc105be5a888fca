use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::envelope::{Actor, NewEvent, Origin};
use crate::id::{CorrelationId, StreamName};
use crate::payload::encode_json;
use crate::testkit::noon;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Moved {
    note: String,
    name: Personal<String>,
    lines: Option<Personal<Vec<String>>>,
}

fn ada() -> Person {
    Person::new("customer", "ada")
}

fn keys() -> KeyRing {
    KeyRing::from_iter([(ada(), PersonKey::new([7; 32]))])
}

fn moved() -> Moved {
    Moved {
        // A text that looks like an open value must stay unchanged.
        note: r#"{"\u0000open":"x","person":"customer:ada","field":"f"}"#.to_owned(),
        name: Personal::new(ada(), "name", "Ada \"L\" 🧵".to_owned()),
        lines: Some(Personal::new(ada(), "lines", vec!["1 Test St".to_owned()])),
    }
}

fn event(number: u128, data: Bytes) -> NewEvent {
    let origin =
        Origin::new(Uuid::from_u128(number), Actor::new("customer", "ada"), CorrelationId::from(Uuid::nil()));
    origin.raw_envelope(&StreamName::new("user", "1"), 0, "user.moved", 1, data, noon())
}

fn sealed(keys: &KeyRing) -> NewEvent {
    let mut events = [event(1, encode_json(&moved()))];
    let mut count = 0;
    seal(
        &mut events,
        keys,
        |_| false,
        || {
            count += 1;
            [count; NONCE_BYTES]
        },
    );
    let [event] = events;
    event
}

fn read(event: &NewEvent) -> Moved {
    serde_json::from_slice(&event.data).unwrap()
}

#[test]
fn debug_never_shows_a_personal_value() {
    assert_eq!(format!("{:?}", Some(Personal::new(ada(), "name", "Ada"))), "Some((personal))");
}

// Proves: users.sealed-personal-data
#[test]
fn a_sealed_value_is_unreadable_in_the_payload_and_opens_only_with_its_key() {
    let event = sealed(&keys());
    let text = String::from_utf8(event.data.to_vec()).unwrap();
    assert!(!text.contains("Test St") && !text.contains("open\":\"Ada"), "{text}");
    let read = read(&event);
    assert_eq!(read.note, moved().note);
    assert_eq!(read.name.reveal(&keys()), Some("Ada \"L\" 🧵".to_owned()));
    assert_eq!(read.lines.unwrap().reveal(&keys()), Some(vec!["1 Test St".to_owned()]));
    let other = KeyRing::from_iter([(ada(), PersonKey::new([8; 32]))]);
    assert_eq!(read.name.reveal(&other), None);
    assert_eq!(read.name.reveal(&KeyRing::default()), None);
}

#[test]
fn sealing_an_open_value_needs_the_key_of_its_person() {
    let with_open_values = event(1, encode_json(&moved()));
    let without_personal_values = event(2, encode_json(&moved().note));
    let expected = People { sealed: vec![ada()], copied: Vec::new() };
    assert_eq!(people(&[with_open_values.clone(), without_personal_values, with_open_values]), expected);
}

#[test]
fn an_open_value_without_a_key_is_written_as_erased() {
    let event = sealed(&KeyRing::default());
    assert!(!String::from_utf8_lossy(&event.data).contains("Ada"));
    assert_eq!(read(&event).name.reveal(&keys()), None);
}

#[test]
fn a_sealed_value_is_copied_into_a_later_event_unchanged() {
    let first = read(&sealed(&keys()));
    let mut later = [event(2, encode_json(&first))];
    let before = later[0].data.clone();
    seal(&mut later, &keys(), |_| false, || panic!("the event has no open value"));
    assert_eq!(later[0].data, before);
    assert_eq!(people(&later), People { sealed: Vec::new(), copied: vec![ada()] });
    assert!(read(&later[0]).name.reveal(&keys()).is_some());
}

#[test]
fn a_copy_whose_key_is_missing_stays_sealed_and_opens_after_the_key_returns() {
    let first = read(&sealed(&keys()));
    let mut later = [event(2, encode_json(&first))];
    seal(&mut later, &KeyRing::default(), |_| false, || panic!("the event has no open value"));
    let copied = read(&later[0]).name;
    assert!(!copied.is_erased());
    assert_eq!(copied.reveal(&keys()), first.name.reveal(&keys()));
}

#[test]
fn a_copy_made_after_the_erasure_is_marked_as_erased() {
    let first = read(&sealed(&keys()));
    assert!(!first.name.is_erased());
    let bob = Person::new("customer", "bob");
    let lines = Some(Personal::new(bob.clone(), "lines", vec!["2 Test St".to_owned()]));
    let mut later = [event(2, encode_json(&Moved { lines, ..first }))];
    let bobs_keys = KeyRing::from_iter([(bob, PersonKey::new([9; 32]))]);
    seal(&mut later, &bobs_keys, |person| *person == ada(), || [1; NONCE_BYTES]);
    let moved = read(&later[0]);
    assert!(moved.name.is_erased());
    assert_eq!(moved.name.reveal(&keys()), None);
    assert_eq!(moved.lines.unwrap().reveal(&bobs_keys), Some(vec!["2 Test St".to_owned()]));
    assert_eq!(people(&later).copied, [Person::new("customer", "bob")]);
}

#[test]
fn a_sealed_value_opens_only_with_its_own_person_event_and_field() {
    let Personal::Sealed(sealed) = read(&sealed(&keys())).name else { panic!("the name is sealed") };
    let opens = |change: fn(&mut Sealed)| {
        let mut changed = sealed.clone();
        change(&mut changed);
        Personal::<String>::Sealed(changed).reveal(&keys()).is_some()
    };
    assert!(opens(|_| ()));
    assert!(!opens(|sealed| sealed.field = "phone".to_owned()));
    assert!(!opens(|sealed| sealed.event = EventId(Uuid::nil())));
    assert!(!opens(|sealed| sealed.sealed = Some("AAAA".to_owned())));
    assert!(!opens(|sealed| sealed.sealed = Some("no base 64".to_owned())));
    let mut keys_with_bobs = keys();
    keys_with_bobs.insert(Person::new("customer", "bob"), PersonKey::new([7; 32]));
    let bobs_value = Sealed { person: Person::new("customer", "bob"), ..sealed };
    assert_eq!(Personal::<String>::Sealed(bobs_value).reveal(&keys_with_bobs), None);
}

#[test]
fn decoding_an_open_value_fails() {
    assert!(serde_json::from_slice::<Moved>(&encode_json(&moved())).is_err());
}
