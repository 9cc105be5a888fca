//! Conflicts between the lines of one import.
//!
//! Two lines may have different values for the same field of one product. Then it is unclear which value is
//! right, and repeating the import would change the product back and forth. So the later line is refused, and
//! the error names the earlier line. A SKU may be in one line only.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use souk_domain::{FieldError, Sku};

use super::line::ImportLine;

/// The values that earlier lines have for the fields of one product. Only hashes are stored, so that a long
/// file needs little memory.
#[derive(Debug, Default)]
pub struct ProductValues {
    /// Values by the hash of the pointer to the field.
    fields: HashMap<u64, EarlierValue>,
}

/// A value of a field, and the line that has it.
#[derive(Clone, Copy, Debug)]
struct EarlierValue {
    /// Hash of the value.
    value: u64,
    /// Number of the line.
    line: u64,
}

impl ProductValues {
    /// Returns an error for the first field of the product for which an earlier line has another value.
    /// Fields of variants can't conflict, since the SKU of a variant is in one line only.
    pub fn conflict(&self, line: &ImportLine) -> Option<FieldError> {
        line.amendment.product_fields().into_iter().find_map(|(pointer, value)| {
            let earlier = self.fields.get(&hash(&pointer))?;
            (earlier.value != hash(&value)).then(|| {
                let detail = format!(
                    "line {} has another value for the same product; all lines of a product must have the same value",
                    earlier.line
                );
                FieldError::new(pointer, "ambiguous", detail)
            })
        })
    }

    /// Records the values of a line that was imported.
    pub fn record(&mut self, line: &ImportLine, number: u64) {
        for (pointer, value) in line.amendment.product_fields() {
            let earlier = EarlierValue { value: hash(&value), line: number };
            self.fields.entry(hash(&pointer)).or_insert(earlier);
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The SKUs of the lines before the current one.
#[derive(Debug, Default)]
pub(super) struct SeenSkus {
    /// Number of the line that has the SKU.
    lines: HashMap<Sku, u64>,
}

impl SeenSkus {
    /// Records the SKUs of a line. If one of them is in an earlier line, refuses it and records none.
    pub(super) fn record(&mut self, line: &ImportLine, number: u64) -> Result<(), FieldError> {
        let skus = || line.amendment.variants.iter().map(|variant| &variant.sku);
        for (index, sku) in skus().enumerate() {
            if let Some(earlier_line) = self.lines.get(sku) {
                let pointer = format!("/variants/{index}/sku");
                let detail = format!("SKU {sku} is already in line {earlier_line}");
                return Err(FieldError::new(pointer, "duplicate-sku", detail));
            }
        }
        self.lines.extend(skus().map(|sku| (sku.clone(), number)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> ImportLine {
        ImportLine::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_error_for_a_conflicting_value_names_the_earlier_line() {
        let mut values = ProductValues::default();
        let first = r#"{"sku":"V1","name":"One","category":"House/Rugs","attributes":{"a":1,"b":null}}"#;
        values.record(&line(first), 2);
        for (json, place) in [
            (r#"{"sku":"V2","name":"Two"}"#, Some("/name")),
            (r#"{"sku":"V2","category":""}"#, Some("/category")),
            (r#"{"sku":"V2","attributes":{"a":2}}"#, Some("/attributes/a")),
            (r#"{"sku":"V2","attributes":{"b":"x"}}"#, Some("/attributes/b")),
            (r#"{"sku":"V2","name":" One ","category":"/house/rugs/","attributes":{"a":1,"c":3}}"#, None),
            (r#"{"sku":"V2","active":true,"description":"x","price":{"amount":1}}"#, None),
        ] {
            let conflict = values.conflict(&line(json));
            assert_eq!(conflict.as_ref().map(|error| error.pointer.as_str()), place, "{json}");
            assert!(conflict.is_none_or(|error| error.detail.starts_with("line 2 ")), "{json}");
        }
    }

    #[test]
    fn a_sku_in_two_lines_is_refused() {
        let mut seen = SeenSkus::default();
        seen.record(&line(r#"{"variants":[{"sku":"A"},{"sku":"B"}]}"#), 1).unwrap();
        let error = seen.record(&line(r#"{"variants":[{"sku":"C"},{"sku":" B "}]}"#), 3).unwrap_err();
        assert_eq!((error.pointer.as_str(), error.code), ("/variants/1/sku", "duplicate-sku"));
        assert_eq!(error.detail, "SKU B is already in line 1");
        // No SKU of the refused line was noted.
        seen.record(&line(r#"{"sku":"C"}"#), 4).unwrap();
    }
}
