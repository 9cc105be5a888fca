//! Every text field of `docs/openapi.json`: what is stored of it is never longer than its limit, whatever stands
//! around it. The fields and their limits come from the document, so a new field is tried by itself.

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use souk_eventsourcing::personal::{Personal, Sealed};

use crate::text_stages::{Stage, stage};

/// Texts that are tried for each field, besides the plain one.
const TEXTS_PER_FIELD: usize = 16;
/// Characters of one text that is tried at most, so that a body stays below 1 MiB.
const CHARS_TRIED_MAX: usize = 100_000;

/// Routes whose texts are compared with what is kept, or name something, and are stored by no event.
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
/// Fields of other routes that are compared only: events hold none of them.
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

/// A text field of a body.
#[derive(Clone, Debug)]
struct Field {
    route: String,
    /// Its place in a body: names, `0` for an item of a list, `*` for a value by any name, `#` for that name.
    place: Vec<String>,
    chars_max: Option<usize>,
    /// True for a value of a fixed form: a currency, a day, an id.
    is_of_a_form: bool,
}

impl Field {
    fn pointer(&self) -> String {
        self.place.iter().fold(String::new(), |place, part| place + "/" + part)
    }
}

fn document() -> Value {
    let path =
        std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The text fields of a schema, by their places.
fn collect(document: &Value, schema: &Value, route: &str, place: &[String], fields: &mut Vec<Field>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return collect(document, target, route, place, fields);
    }
    for kind in ["oneOf", "anyOf", "allOf"] {
        for one in schema[kind].as_array().into_iter().flatten() {
            collect(document, one, route, place, fields);
        }
    }
    let below = |part: &str| [place, &[part.to_owned()]].concat();
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        collect(document, of, route, &below(name), fields);
    }
    if schema["additionalProperties"].is_object() {
        collect(document, &schema["additionalProperties"], route, &below("*"), fields);
        collect(document, &schema["propertyNames"], route, &below("#"), fields);
    }
    if schema["items"].is_object() {
        collect(document, &schema["items"], route, &below("0"), fields);
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    if types.contains(&json!("string")) {
        let chars_max = schema["maxLength"].as_u64().map(|max| usize::try_from(max).unwrap());
        let is_of_a_form = chars_max.is_none()
            && (schema["pattern"].as_str().is_some_and(|form| form.starts_with('^') && form.ends_with('$'))
                || schema["enum"].is_array()
                || ["uuid", "date-time"].contains(&schema["format"].as_str().unwrap_or_default()));
        let route = route.to_owned();
        let place = place.to_vec();
        fields.push(Field { route, place, chars_max, is_of_a_form });
    }
}

/// Every text field of every body of JSON.
fn fields(document: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let route = format!("{} {path}", method.to_uppercase());
            collect(document, schema, &route, &[], &mut fields);
        }
    }
    fields
}

/// The value at a place of a body, if it is there.
fn at<'a>(body: &'a mut Value, place: &[String]) -> Option<&'a mut Value> {
    place.iter().try_fold(body, |value, part| match (part.as_str(), value) {
        ("*", Value::Object(members)) => members.values_mut().next(),
        (index, Value::Array(items)) => items.get_mut(index.parse::<usize>().ok()?),
        (name, Value::Object(members)) => members.get_mut(name),
        _ => None,
    })
}

/// The text that a body has in a field; a field that the body lacks is filled in.
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

/// Characters to put around a text: some of them, so often that the whole is shorter or longer than its limit.
fn around(chars_max: usize) -> impl Strategy<Value = String> {
    let character = proptest::sample::select(vec![
        " ", "\t", "\n", "\u{a0}", "\u{3000}", "\u{301}", "🏺", "\u{200d}", "\u{202e}", "x", "\u{feff}",
    ]);
    let most = (chars_max * 3).min(CHARS_TRIED_MAX);
    let count = proptest::sample::select(vec![0, 1, 2, chars_max / 2, chars_max, chars_max + 1, most]);
    (character, count).prop_map(|(character, count)| character.repeat(count.min(CHARS_TRIED_MAX)))
}

/// Every text that a shop has stored, sealed ones opened.
async fn stored(stage: &Stage) -> Vec<String> {
    let mut texts = Vec::new();
    let mut documents = Vec::new();
    for (stream, events) in stage.shop.log.lock().unwrap().all() {
        texts.push(stream.id().to_owned());
        documents.extend(events.iter().map(|event| {
            serde_json::from_slice::<Value>(&event.event.data).unwrap_or_else(|_| json!("no JSON"))
        }));
    }
    while let Some(document) = documents.pop() {
        match document {
            Value::String(text) => texts.push(text),
            Value::Array(items) => documents.extend(items),
            Value::Object(members) => {
                if let Ok(sealed) = serde_json::from_value::<Sealed>(Value::Object(members.clone())) {
                    let keys = stage.shop.ports.people.to_open(vec![sealed.person.clone()]).await.unwrap();
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

/// Tries a text in a field. Returns true when the shop took it and stored it.
async fn try_text(field: &Field, by_import: bool, text: impl Fn(&str) -> String) -> bool {
    let Some(mut stage) = stage(&field.route, by_import).await else {
        panic!("{} takes text: say in `text_stages.rs` how it is asked, or that it stores none", field.route)
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
    if !stage.takes(&body).await {
        return false;
    }
    let most = field.chars_max.unwrap_or(plain.chars().count());
    // A value of a fixed form, such as `GB`, also stands in other texts, such as `GBP`.
    let is_it = |text: &String| if field.is_of_a_form { *text == tried } else { text.contains(&plain) };
    let found: Vec<String> = stored(&stage).await.into_iter().filter(is_it).collect();
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

#[test]
fn every_text_field_of_the_document_has_a_limit() {
    let unlimited: BTreeSet<_> = fields(&document())
        .into_iter()
        .filter(|field| field.chars_max.is_none() && !field.is_of_a_form)
        .map(|field| format!("{} {}", field.route, field.pointer()))
        .collect();
    assert!(unlimited.is_empty(), "{unlimited:#?}");
}

#[tokio::test]
async fn what_is_stored_of_a_text_is_never_longer_than_its_limit() {
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
        assert!(is_stored || is_compared, "{} {} is stored nowhere", field.route, field.pointer());
        let around = around(field.chars_max.unwrap_or(20));
        for number in 0..TEXTS_PER_FIELD {
            let mut one = || around.new_tree(&mut runner).unwrap().current();
            let before = one();
            let behind = one();
            let text = |plain: &str| format!("{before}{plain}{behind}");
            if try_text(&field, number % 2 == 1, text).await {
                *tried.entry(field.pointer()).or_insert(0) += 1;
            }
        }
    }
    // Most fields take some of the texts: else the test would show nothing.
    assert!(tried.len() > 25, "{tried:?}");
}
