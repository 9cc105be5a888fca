//! One line of an import. It has the shape of a body of `POST /api/products`. For an existing product, it
//! needs only the fields that change.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use souk_domain::limits::VARIANTS_MAX;
use souk_domain::product::Amendment;
use souk_domain::product::amend::{Amount, Price, VariantAmendment};
use souk_domain::text::quoted;
use souk_domain::{FieldError, Sku, money};
use souk_http::Problem;
use souk_http::body::parse;
use souk_http::fields::{present, unique};

use crate::products::request::{attribute, shorten_pointers};

/// The replacement character, which programs write for a character that they could not decode.
const REPLACEMENT: char = '\u{fffd}';

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<String>,
    #[serde(default, deserialize_with = "present")]
    category: Option<String>,
    #[serde(default, deserialize_with = "unique")]
    attributes: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "present")]
    active: Option<bool>,
    #[serde(default)]
    variants: Vec<Variant>,
    #[serde(default, deserialize_with = "present")]
    sku: Option<String>,
    #[serde(default, deserialize_with = "present")]
    price: Option<PriceShape>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Variant {
    sku: String,
    #[serde(default, deserialize_with = "unique")]
    options: BTreeMap<String, Option<String>>,
    #[serde(default, deserialize_with = "present")]
    price: Option<PriceShape>,
    #[serde(default, deserialize_with = "present")]
    images: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PriceShape {
    #[serde(default, deserialize_with = "present")]
    amount: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    decimal: Option<String>,
    #[serde(default, deserialize_with = "present")]
    currency: Option<String>,
}

/// A parsed line of an import.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// Fields and variants that the line changes.
    pub amendment: Amendment,
    /// True if the line has `sku` at the top level instead of `variants`.
    is_short: bool,
}

impl ImportLine {
    /// Reads a line of JSON.
    pub fn read(line: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(line).map_err(|error| {
            let byte = error.valid_up_to() + 1;
            Problem::new("malformed-body", format!("byte {byte} of the line is not UTF-8"))
        })?;
        if text.contains(REPLACEMENT) {
            let detail = "U+FFFD replaces a character that another program could not decode; \
                          write the original character instead";
            return Err(Problem::field("", "invalid-character", detail));
        }
        let line: Line = parse(line)?;
        let is_short = line.sku.is_some();
        let amendment =
            line.amendment().map_err(|errors| Problem::fields(with_line_pointers(errors, is_short)))?;
        Ok(Self { amendment, is_short })
    }

    /// Returns the SKUs by which the product is looked up: those of the first [`VARIANTS_MAX`] variants.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.amendment.variants.iter().map(|variant| &variant.sku).take(VARIANTS_MAX)
    }

    /// Returns the problem for these errors, with pointers to the fields of this line.
    pub fn problem(&self, errors: Vec<FieldError>) -> Problem {
        Problem::fields(with_line_pointers(errors, self.is_short))
    }
}

/// Returns the errors with pointers to the fields of the line. In a short line, `sku` and `price` are at the
/// top level.
fn with_line_pointers(errors: Vec<FieldError>, is_short: bool) -> Vec<FieldError> {
    if is_short { shorten_pointers(errors) } else { errors }
}

impl Line {
    fn amendment(self) -> Result<Amendment, Vec<FieldError>> {
        let variants = match (self.sku, self.price, self.variants) {
            (Some(sku), price, variants) if variants.is_empty() => {
                vec![Variant { sku, options: BTreeMap::new(), price, images: None }]
            }
            (None, None, variants) if !variants.is_empty() => variants,
            (None, None, _) => return Err(vec![FieldError::new("/sku", "missing-field", "a SKU is needed")]),
            _ => {
                let detail = "send either `variants`, or `sku` and `price` at the top level";
                return Err(vec![FieldError::new("/variants", "ambiguous", detail)]);
            }
        };
        let mut errors = Vec::new();
        let variants = variants.into_iter().enumerate().filter_map(|(index, variant)| {
            let variant = variant.amendment(&format!("/variants/{index}"));
            variant.map_err(|more| errors.extend(more)).ok()
        });
        let variants = variants.collect();
        let attributes = self.attributes.into_iter().filter_map(|(name, value)| {
            if value.is_null() {
                return Some((name, None));
            }
            let attribute = attribute(name, &value).map_err(|error| errors.push(error)).ok()?;
            Some((attribute.name, Some((attribute.kind, attribute.value))))
        });
        let attributes = attributes.collect();
        let Self { name, description, category, active, .. } = self;
        let amendment = Amendment { name, description, category, attributes, active, variants };
        if errors.is_empty() { Ok(amendment) } else { Err(errors) }
    }
}

impl Variant {
    fn amendment(self, pointer: &str) -> Result<VariantAmendment, Vec<FieldError>> {
        let sku = Sku::parse(&self.sku)
            .map_err(|why| FieldError::new(format!("{pointer}/sku"), "invalid-sku", why.to_string()));
        let price = self.price.map(|price| price.read(&format!("{pointer}/price"))).transpose();
        match (sku, price) {
            (Ok(sku), Ok(price)) => {
                Ok(VariantAmendment { sku, options: self.options, price, images: self.images })
            }
            (sku, price) => Err(sku.err().into_iter().chain(price.err()).collect()),
        }
    }
}

impl PriceShape {
    fn read(self, pointer: &str) -> Result<Price, FieldError> {
        let amount = match (self.amount, self.decimal) {
            (Some(amount), None) => Amount::Minor(amount),
            (None, Some(decimal)) => Amount::Decimal(decimal),
            _ => {
                let detail = "send either `amount` in minor units, or `decimal`, such as \"12.50\"";
                return Err(FieldError::new(pointer, "ambiguous", detail));
            }
        };
        let currency = self.currency.map(|code| {
            money::currency(&code).ok_or_else(|| {
                let detail = format!("`{}` is not an ISO 4217 currency code, such as GBP", quoted(&code));
                FieldError::new(format!("{pointer}/currency"), "unknown-currency", detail)
            })
        });
        Ok(Price { amount, currency: currency.transpose()? })
    }
}
