//! Sealing and opening of personal values: XChaCha20-Poly1305 with the person's key.
//!
//! Person, event and field are the associated data of the cipher. The nonce is stored with the sealed value.
//!
//! Invariants: after sealing, an event holds no open value. A sealed value can be opened only with its own
//! person, event and field. A value that is written after the erasure of its person is marked as erased.
//!
//! On failure: a value without a key is written as erased, because it must not be written unencrypted. A
//! value that can't be opened is `None`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{KeyRing, NONCE_BYTES, Person, PersonKey, Sealed};
use crate::envelope::NewEvent;
use crate::id::EventId;

/// First bytes of an open value in a payload.
const OPEN_BEGINS: &[u8] = br#"{"\u0000open":"#;
/// First bytes of a sealed value in a payload. Other objects may begin with the same bytes.
const COPY_BEGINS: &[u8] = br#"{"person":"#;

/// JSON form of an open value in a payload.
#[derive(Deserialize)]
struct OpenForm<'a> {
    #[serde(rename = "\u{0}open", borrow)]
    value: &'a RawValue,
    person: Person,
    #[serde(borrow)]
    field: Cow<'a, str>,
}

/// Returns the open values of a payload in order, each with its first byte and the byte after its end.
fn open_values(data: &[u8]) -> impl Iterator<Item = (usize, usize, OpenForm<'_>)> {
    let begins = memmem::find_iter(data, OPEN_BEGINS);
    begins.filter_map(|begin| {
        let mut forms = serde_json::Deserializer::from_slice(&data[begin..]).into_iter::<OpenForm<'_>>();
        let form = forms.next()?.ok()?;
        Some((begin, begin + forms.byte_offset(), form))
    })
}

/// Returns the copied sealed values of a payload that are not marked as erased, in the same form.
fn copies(data: &[u8]) -> impl Iterator<Item = (usize, usize, Sealed)> {
    let begins = memmem::find_iter(data, COPY_BEGINS);
    begins.filter_map(|begin| {
        let mut values = serde_json::Deserializer::from_slice(&data[begin..]).into_iter::<Sealed>();
        let copy = values.next()?.ok().filter(|copy| copy.sealed.is_some())?;
        Some((begin, begin + values.byte_offset(), copy))
    })
}

/// People whose keys are needed before some events can be appended, without duplicates.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct People {
    /// People with open values, which must be sealed.
    pub sealed: Vec<Person>,
    /// People with copies of values that are already sealed.
    pub copied: Vec<Person>,
}

/// Returns the people whose keys are needed before `events` can be appended.
pub fn people(events: &[NewEvent]) -> People {
    let mut people = People::default();
    let add = |people: &mut Vec<Person>, person| {
        if !people.contains(&person) {
            people.push(person);
        }
    };
    for event in events {
        open_values(&event.data).for_each(|(_, _, form)| add(&mut people.sealed, form.person));
        copies(&event.data).for_each(|(_, _, copy)| add(&mut people.copied, copy.person));
    }
    people
}

/// Returns the people of the sealed values in a payload, except values that are marked as erased.
pub fn sealed_people(data: &[u8]) -> impl Iterator<Item = Person> {
    copies(data).map(|(_, _, copy)| copy.person)
}

/// Seals the open values of `events`.
///
/// An open value without a key is marked as erased. A copy of a sealed value is marked as erased if
/// `is_erased` is true for its person. Otherwise the copy stays unchanged, even if its key is missing,
/// because a restore may bring the key back. `nonce` must return other bytes on each call.
pub fn seal(
    events: &mut [NewEvent],
    keys: &KeyRing,
    is_erased: impl Fn(&Person) -> bool,
    mut nonce: impl FnMut() -> [u8; NONCE_BYTES],
) {
    for event in events {
        let open = open_values(&event.data);
        let sealed =
            open.map(|(begin, end, form)| (begin, end, sealed_value(&form, event.id, keys, &mut nonce)));
        let copies_of_erased = copies(&event.data).filter(|(_, _, copy)| is_erased(&copy.person));
        let erased = copies_of_erased.map(|(begin, end, copy)| (begin, end, Sealed { sealed: None, ..copy }));
        let mut values: Vec<(usize, usize, Sealed)> = sealed.chain(erased).collect();
        if values.is_empty() {
            continue;
        }
        values.sort_by_key(|(begin, ..)| *begin);
        let mut data = Vec::with_capacity(event.data.len());
        let mut copied_to = 0;
        for (begin, end, value) in values {
            data.extend_from_slice(&event.data[copied_to..begin]);
            // This can't fail, because all fields of a sealed value are texts.
            data.extend(serde_json::to_vec(&value).unwrap_or_default());
            copied_to = end;
        }
        data.extend_from_slice(&event.data[copied_to..]);
        event.data = Bytes::from(data);
    }
}

fn sealed_value(
    form: &OpenForm<'_>,
    event: EventId,
    keys: &KeyRing,
    nonce: &mut impl FnMut() -> [u8; NONCE_BYTES],
) -> Sealed {
    let mut sealed =
        Sealed { person: form.person.clone(), event, field: form.field.clone().into_owned(), sealed: None };
    if let Some(key) = keys.get(&form.person) {
        let nonce = nonce();
        let payload = Payload { msg: form.value.get().as_bytes(), aad: &associated_data(&sealed) };
        // The cipher fails only for texts of more than 256 GiB.
        let encrypted = cipher(key).encrypt(&XNonce::from(nonce), payload).ok();
        sealed.sealed = encrypted.map(|encrypted| BASE64_STANDARD.encode([&nonce[..], &encrypted].concat()));
    }
    sealed
}

/// Returns the JSON of a sealed value; `None` if the value is erased, or if person, event or field were
/// changed.
pub(super) fn open(sealed: &Sealed, key: &PersonKey) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(sealed.sealed.as_ref()?).ok()?;
    let (nonce, encrypted) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: encrypted, aad: &associated_data(sealed) };
    cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()
}

fn cipher(key: &PersonKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

/// Returns person, event and field, each after its length, so that no two triples give the same bytes.
fn associated_data(sealed: &Sealed) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [sealed.person.as_str().as_bytes(), sealed.event.0.as_bytes(), sealed.field.as_bytes()] {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
