//! Sealing what an append holds open, and opening it again: XChaCha20-Poly1305 under the person's key, with
//! person, event and field as associated data. A copy of a value whose key is destroyed by now is written as
//! erased, so that whatever enters the log after an erasure says of itself that it is.

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

/// What an open value begins with in a payload.
const OPEN_BEGINS: &[u8] = br#"{"\u0000open":"#;
/// What a sealed one begins with, and little else.
const COPY_BEGINS: &[u8] = br#"{"person":"#;

/// An open value as it stands in a payload.
#[derive(Deserialize)]
struct OpenForm<'a> {
    #[serde(rename = "\u{0}open", borrow)]
    value: &'a RawValue,
    person: Person,
    #[serde(borrow)]
    field: Cow<'a, str>,
}

/// The open values of a payload, in order, with where each begins and ends.
fn open_values(data: &[u8]) -> impl Iterator<Item = (usize, usize, OpenForm<'_>)> {
    let begins = memmem::find_iter(data, OPEN_BEGINS);
    begins.filter_map(|begin| {
        let mut forms = serde_json::Deserializer::from_slice(&data[begin..]).into_iter::<OpenForm<'_>>();
        let form = forms.next()?.ok()?;
        Some((begin, begin + forms.byte_offset(), form))
    })
}

/// The copies in a payload that are not written as erased yet, likewise.
fn copies(data: &[u8]) -> impl Iterator<Item = (usize, usize, Sealed)> {
    let begins = memmem::find_iter(data, COPY_BEGINS);
    begins.filter_map(|begin| {
        let mut values = serde_json::Deserializer::from_slice(&data[begin..]).into_iter::<Sealed>();
        let copy = values.next()?.ok().filter(|copy| copy.sealed.is_some())?;
        Some((begin, begin + values.byte_offset(), copy))
    })
}

/// Whose keys some events need on their way into the log, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Those that open values tell about.
    pub sealed: Vec<Person>,
    /// Those that copies tell about.
    pub copied: Vec<Person>,
}

/// Whose keys these events need.
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

/// People whom the sealed values of a payload tell about, those left out that are written as erased.
pub fn sealed_people(data: &[u8]) -> impl Iterator<Item = Person> {
    copies(data).map(|(_, _, copy)| copy.person)
}

/// Seals what these events hold open, and passes copies on. An open value without a key is written as erased, and so is
/// a copy of somebody who is; a copy whose key is only missing stays as it is, since the key may come back.
/// `nonce` gives bytes that it never gave before.
pub fn seal(
    events: &mut [NewEvent],
    keys: &KeyRing,
    is_erased: impl Fn(&Person) -> bool,
    mut nonce: impl FnMut() -> [u8; NONCE_BYTES],
) {
    for event in events {
        let opened = open_values(&event.data);
        let sealed =
            opened.map(|(begin, end, form)| (begin, end, sealed_value(&form, event.id, keys, &mut nonce)));
        let lost = copies(&event.data).filter(|(_, _, copy)| is_erased(&copy.person));
        let erased = lost.map(|(begin, end, copy)| (begin, end, Sealed { sealed: None, ..copy }));
        let mut values: Vec<(usize, usize, Sealed)> = sealed.chain(erased).collect();
        if values.is_empty() {
            continue;
        }
        values.sort_by_key(|(begin, ..)| *begin);
        let mut data = Vec::with_capacity(event.data.len());
        let mut passed = 0;
        for (begin, end, value) in values {
            data.extend_from_slice(&event.data[passed..begin]);
            // A sealed value is plain texts: it always serializes.
            data.extend(serde_json::to_vec(&value).unwrap_or_default());
            passed = end;
        }
        data.extend_from_slice(&event.data[passed..]);
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
        let payload = Payload { msg: form.value.get().as_bytes(), aad: &associated(&sealed) };
        // The cipher refuses only what is longer than 256 GiB.
        let boxed = cipher(key).encrypt(&XNonce::from(nonce), payload).ok();
        sealed.sealed = boxed.map(|boxed| BASE64_STANDARD.encode([&nonce[..], &boxed].concat()));
    }
    sealed
}

/// The JSON under the seal; none when it is erased, or sealed for another place.
pub(super) fn open(sealed: &Sealed, key: &PersonKey) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(sealed.sealed.as_ref()?).ok()?;
    let (nonce, boxed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: boxed, aad: &associated(sealed) };
    cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()
}

fn cipher(key: &PersonKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

/// Person, event and field, each with its length, so that no two triples make the same bytes.
fn associated(sealed: &Sealed) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [sealed.person.as_str().as_bytes(), sealed.event.0.as_bytes(), sealed.field.as_bytes()] {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
