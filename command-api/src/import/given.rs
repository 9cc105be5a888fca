//! Lines of one file or request that say different things of one product.
//!
//! Neither of them is right by being the later one, and a repeat would change the product back and forth. So the later
//! line is refused, and the refusal names the earlier one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use souk_domain::{FieldError, Sku};

use super::line::ImportLine;

/// The values that lines have given to the fields of one product. A value is kept as its hash alone, so that the lines
/// of a long file take little memory.
#[derive(Debug, Default)]
pub struct GivenValues {
    fields: HashMap<u64, Given>,
}

/// A value and the line that gave it.
#[derive(Clone, Copy, Debug)]
struct Given {
    value: u64,
    line: u64,
}

impl GivenValues {
    /// The first field to which an earlier line gives another value than this one. A variant's fields are none: they
    /// are given by the one line of its SKU.
    pub fn conflict(&self, line: &ImportLine) -> Option<FieldError> {
        line.amendment.product_fields().into_iter().find_map(|(pointer, value)| {
            let given = self.fields.get(&hash(&pointer))?;
            (given.value != hash(&value)).then(|| {
                let detail = format!(
                    "line {} gives the same product another value; all lines of a product give the same",
                    given.line
                );
                FieldError::new(pointer, "ambiguous", detail)
            })
        })
    }

    /// Notes the values of a line that was taken.
    pub fn note(&mut self, line: &ImportLine, number: u64) {
        for (pointer, value) in line.amendment.product_fields() {
            let given = Given { value: hash(&value), line: number };
            self.fields.entry(hash(&pointer)).or_insert(given);
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The SKUs of lines, each of which stands in a file or request once.
#[derive(Debug, Default)]
pub(super) struct SeenSkus {
    lines: HashMap<Sku, u64>,
}

impl SeenSkus {
    /// Notes the SKUs of a line, or refuses one that stands in an earlier line.
    pub(super) fn note(&mut self, line: &ImportLine, number: u64) -> Result<(), FieldError> {
        let skus = || line.amendment.variants.iter().map(|variant| &variant.sku);
        for (index, sku) in skus().enumerate() {
            if let Some(before) = self.lines.get(sku) {
                let pointer = format!("/variants/{index}/sku");
                let detail = format!("SKU {sku} stands in line {before} already");
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
    fn another_value_for_a_field_of_the_product_is_found_with_the_earlier_line() {
        let mut given = GivenValues::default();
        let first = r#"{"sku":"V1","name":"One","category":"House/Rugs","attributes":{"a":1,"b":null}}"#;
        given.note(&line(first), 2);
        for (json, place) in [
            (r#"{"sku":"V2","name":"Two"}"#, Some("/name")),
            (r#"{"sku":"V2","category":""}"#, Some("/category")),
            (r#"{"sku":"V2","attributes":{"a":2}}"#, Some("/attributes/a")),
            (r#"{"sku":"V2","attributes":{"b":"x"}}"#, Some("/attributes/b")),
            (r#"{"sku":"V2","name":" One ","category":"/house/rugs/","attributes":{"a":1,"c":3}}"#, None),
            (r#"{"sku":"V2","active":true,"description":"x","price":{"amount":1}}"#, None),
        ] {
            let conflict = given.conflict(&line(json));
            assert_eq!(conflict.as_ref().map(|error| error.pointer.as_str()), place, "{json}");
            assert!(conflict.is_none_or(|error| error.detail.starts_with("line 2 ")), "{json}");
        }
    }

    #[test]
    fn a_sku_stands_in_one_line_only() {
        let mut seen = SeenSkus::default();
        seen.note(&line(r#"{"variants":[{"sku":"A"},{"sku":"B"}]}"#), 1).unwrap();
        let error = seen.note(&line(r#"{"variants":[{"sku":"C"},{"sku":" B "}]}"#), 3).unwrap_err();
        assert_eq!((error.pointer.as_str(), error.code), ("/variants/1/sku", "duplicate-sku"));
        assert_eq!(error.detail, "SKU B stands in line 1 already");
        // The refused line holds no SKU.
        seen.note(&line(r#"{"sku":"C"}"#), 4).unwrap();
    }
}
