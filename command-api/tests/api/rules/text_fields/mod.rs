//! Tests of every text field in `docs/openapi.json`: the stored text is never longer than the limit of the
//! field, even if white space or special characters surround it. Fields and limits are read from the
//! document, so a new field is tested without a change here.

pub(crate) mod fields;
pub(crate) mod stages;

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use souk_eventsourcing::personal::{Personal, Sealed};

use crate::rules::text_fields::fields::{Field, document, fields};
use crate::rules::text_fields::stages::{Stage, stage};

/// Number of texts that are tried for each field, besides the plain one.
const TEXTS_PER_FIELD: usize = 16;

/// Most characters added on each side of a text, so that a body stays below 1 MiB.
const CHARS_TRIED_MAX: usize = 100_000;

/// Routes whose texts are only compared with stored values or name a resource. No event stores them.
const STORES_NO_TEXT: [&str; 13] = [
    "DELETE /api/users/me",
    "POST /api/admin/parked/retry",
    "POST /api/admin/projections/switch",
    "POST /api/auth/email/verify",
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "POST /api/auth/password/change",
    "POST /api/auth/password/reset",
    "POST /api/auth/password/reset/confirm",
    "POST /api/auth/refresh",
    "POST /api/auth/oidc/exchange",
    "POST /api/cart/merge",
    "POST /api/orders/lookup",
];

/// Fields of other routes that are only compared. No event stores them.
const COMPARED: [(&str, &str); 9] = [
    ("POST /api/admin/parked/skip", "/owner"),
    ("POST /api/admin/parked/skip", "/position"),
    ("POST /api/admin/users", "/password"),
    ("POST /api/auth/signup", "/password"),
    ("POST /api/payments/intents", "/orderId"),
    ("POST /api/payments/webhook", "/createdAt"),
    ("POST /api/orders", "/email"),
    ("POST /api/orders/lookup/erase", "/code"),
    ("POST /api/orders/lookup/erase", "/email"),
];

/// Returns the value at a path of a body, if there is one.
fn at<'a>(body: &'a mut Value, place: &[String]) -> Option<&'a mut Value> {
    place.iter().try_fold(body, |value, part| match (part.as_str(), value) {
        ("*", Value::Object(members)) => members.values_mut().next(),
        (index, Value::Array(items)) => items.get_mut(index.parse::<usize>().ok()?),
        (name, Value::Object(members)) => members.get_mut(name),
        _ => None,
    })
}

/// Returns the text of a field in a body. An absent field is filled in.
fn plain(body: &mut Value, field: &Field) -> String {
    let (last, above) = field.place.split_last().unwrap();
    let parent = at(body, above).unwrap_or_else(|| panic!("no body has {field:?}"));
    if last == "#" {
        return parent.as_object().unwrap().keys().next().unwrap().clone();
    }
    if at(parent, std::slice::from_ref(last)).is_none() {
        parent[last] = json!("filled in");
    }
    at(parent, std::slice::from_ref(last)).unwrap().as_str().unwrap().to_owned()
}

/// Puts a text into a field of a body.
fn put(body: &mut Value, field: &Field, text: &str) {
    let (last, above) = field.place.split_last().unwrap();
    let parent = at(body, above).unwrap();
    if last == "#" {
        let value = parent.as_object().unwrap().values().next().unwrap().clone();
        *parent = Value::Object(Map::from_iter([(text.to_owned(), value)]));
    } else {
        *at(parent, std::slice::from_ref(last)).unwrap() = json!(text);
    }
}

/// Makes texts to put before or after a text: one character, repeated so often that the whole text is shorter
/// or longer than the limit.
fn around(chars_max: usize) -> impl Strategy<Value = String> {
    let character = proptest::sample::select(vec![
        " ", "\t", "\n", "\u{a0}", "\u{3000}", "\u{301}", "🏺", "\u{200d}", "\u{202e}", "x", "\u{feff}",
    ]);
    let most = (chars_max * 3).min(CHARS_TRIED_MAX);
    let count = proptest::sample::select(vec![0, 1, 2, chars_max / 2, chars_max, chars_max + 1, most]);
    (character, count).prop_map(|(character, count)| character.repeat(count.min(CHARS_TRIED_MAX)))
}

/// Returns every text in the log of the shop, decrypted if it is sealed.
async fn stored(stage: &Stage) -> Vec<String> {
    let mut texts = Vec::new();
    let mut documents = Vec::new();
    for event in stage.shop.all_events().await {
        texts.push(event.stream.id().to_owned());
        let document = serde_json::from_slice::<Value>(&event.event.data);
        documents.push(document.unwrap_or_else(|_| json!("no JSON")));
    }
    while let Some(document) = documents.pop() {
        match document {
            Value::String(text) => texts.push(text),
            Value::Array(items) => documents.extend(items),
            Value::Object(members) => {
                if let Ok(sealed) = serde_json::from_value::<Sealed>(Value::Object(members.clone())) {
                    let keys =
                        stage.shop.ports.people.keys_for_opening(vec![sealed.person.clone()]).await.unwrap();
                    documents.extend(Personal::<Value>::Sealed(sealed).reveal(&keys));
                } else {
                    texts.extend(members.keys().cloned());
                    documents.extend(members.into_iter().map(|(_, value)| value));
                }
            }
            _ => {}
        }
    }
    texts
}

/// Sends a text in a field. Returns true if the shop accepted and stored it.
async fn try_text(field: &Field, by_import: bool, text: impl Fn(&str) -> String) -> bool {
    let Some(mut stage) = stage(&field.route, by_import).await else {
        panic!("{} has text fields: add it to `stages.rs` or to STORES_NO_TEXT", field.route)
    };
    let has = |body: &mut Value| at(body, &field.place[..field.place.len() - 1]).is_some();
    let with = |body: &mut Value| {
        let (last, above) = field.place.split_last().unwrap();
        at(body, above).is_some_and(|parent| last == "#" || at(parent, std::slice::from_ref(last)).is_some())
    };
    let chosen = stage.bodies.iter_mut().position(with).or(stage.bodies.iter_mut().position(has));
    let mut body = stage.bodies.swap_remove(chosen.unwrap_or(0));
    let plain = plain(&mut body, field);
    let tried = text(&plain);
    put(&mut body, field, &tried);
    if !stage.accepts(&body).await {
        return false;
    }
    let most = field.chars_max.unwrap_or(plain.chars().count());
    // A value of a fixed format, such as `GB`, is also a part of other texts, such as `GBP`.
    let is_field_text =
        |text: &String| if field.has_fixed_format { *text == tried } else { text.contains(&plain) };
    let found: Vec<String> = stored(&stage).await.into_iter().filter(is_field_text).collect();
    for text in &found {
        let chars = text.chars().count();
        assert!(
            chars <= most && text.len() <= 4 * most,
            "{} {}: {chars} characters are stored, {most} are allowed, of {tried:.80?}",
            field.route,
            field.pointer()
        );
    }
    !found.is_empty()
}

// Proves: common.text-limits
#[test]
fn every_text_field_of_the_document_has_a_limit() {
    let unlimited: BTreeSet<_> = fields(&document())
        .into_iter()
        .filter(|field| field.chars_max.is_none() && !field.has_fixed_format)
        .map(|field| format!("{} {}", field.route, field.pointer()))
        .collect();
    assert!(unlimited.is_empty(), "{unlimited:#?}");
}

// Proves: common.text-limits
#[tokio::test]
async fn a_stored_text_is_never_longer_than_its_limit() {
    let mut runner = TestRunner::deterministic();
    let mut tried = BTreeMap::new();
    for field in fields(&document()) {
        if STORES_NO_TEXT.contains(&field.route.as_str()) {
            continue;
        }
        let is_compared = COMPARED.contains(&(field.route.as_str(), field.pointer().as_str()));
        if field.route.starts_with("POST /api/orders/lookup") && is_compared {
            continue;
        }
        let is_stored = try_text(&field, false, str::to_owned).await;
        assert!(
            is_stored || is_compared,
            "{} {} is stored nowhere: is the route missing in `stages.rs`?",
            field.route,
            field.pointer()
        );
        let around = around(field.chars_max.unwrap_or(20));
        for number in 0..TEXTS_PER_FIELD {
            let mut one = || around.new_tree(&mut runner).unwrap().current();
            let prefix = one();
            let suffix = one();
            let text = |plain: &str| format!("{prefix}{plain}{suffix}");
            if try_text(&field, number % 2 == 1, text).await {
                *tried.entry(field.pointer()).or_insert(0) += 1;
            }
        }
    }
    // Most fields must accept some of the texts; otherwise the test proves nothing.
    assert!(tried.len() > 25, "{tried:?}");
}
