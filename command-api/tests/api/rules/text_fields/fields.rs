//! Text fields of the writes in the API document.

use serde_json::{Value, json};

/// A text field of a body.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) route: String,
    /// Path of the field in a body: names, `0` for an item of a list, `*` for a value under any name, `#` for
    /// that name.
    pub(crate) place: Vec<String>,
    pub(crate) chars_max: Option<usize>,
    /// True for a value of a fixed format, such as a currency, a date or an id.
    pub(crate) has_fixed_format: bool,
}

impl Field {
    /// Returns the JSON pointer of the field.
    pub(crate) fn pointer(&self) -> String {
        self.place.iter().fold(String::new(), |place, part| place + "/" + part)
    }
}

pub(crate) fn document() -> Value {
    let path =
        std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Adds the text fields of a schema to `fields`.
fn collect(document: &Value, schema: &Value, route: &str, place: &[String], fields: &mut Vec<Field>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return collect(document, target, route, place, fields);
    }
    for kind in ["oneOf", "anyOf", "allOf"] {
        for alternative in schema[kind].as_array().into_iter().flatten() {
            collect(document, alternative, route, place, fields);
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
        let has_fixed_format = chars_max.is_none()
            && (schema["pattern"].as_str().is_some_and(|form| form.starts_with('^') && form.ends_with('$'))
                || schema["enum"].is_array()
                || ["uuid", "date-time"].contains(&schema["format"].as_str().unwrap_or_default()));
        let route = route.to_owned();
        let place = place.to_vec();
        fields.push(Field { route, place, chars_max, has_fixed_format });
    }
}

/// Returns every text field of every JSON body.
pub(crate) fn fields(document: &Value) -> Vec<Field> {
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
