//! Request bodies for products.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use souk_domain::limits::{ATTRIBUTES_MAX, VARIANTS_MAX};
use souk_domain::product::Content;
use souk_domain::product::event::{Attribute, AttributeKind, Variant};
use souk_domain::{FieldError, Sku};
use souk_http::fields::unique;
use souk_http::shapes::MoneyShape;
use utoipa::ToSchema;

use super::schema;

/// A product. A product with one variant may have `sku` and `price` at the top level instead of `variants`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "name": "White hanging heart", "description": "A lantern of glass.", "category": "home/lighting",
    "attributes": {"colour": "white"}, "active": true,
    "variants": [{"sku": "85123A", "options": {"size": "M"}, "price": {"amount": 255, "currency": "GBP"}, "images": []}]
}))]
pub struct ProductRequest {
    /// Name of the product: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub name: String,
    /// Description for customers: at most 65,536 characters.
    #[serde(default)]
    #[schema(max_length = 65_536)]
    pub description: String,
    /// Category as a path, such as `home/lighting`.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub category: String,
    /// Attributes by name; each value is a string, a number or a boolean.
    #[serde(default, deserialize_with = "unique")]
    #[schema(schema_with = schema::attributes)]
    pub attributes: BTreeMap<String, Value>,
    /// True if customers can see and buy the product.
    #[serde(default = "active_by_default")]
    pub active: bool,
    /// Variants of the product: at most 200.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub variants: Vec<VariantRequest>,
    /// The SKU of the only variant.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub sku: Option<String>,
    /// The price of the only variant.
    #[serde(default)]
    pub price: Option<MoneyShape>,
}

/// A variant of a product.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VariantRequest {
    /// SKU of the variant.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Options that distinguish the variant from the others, such as its size.
    #[serde(default, deserialize_with = "unique")]
    #[schema(schema_with = schema::options)]
    pub options: BTreeMap<String, String>,
    /// Price of one unit.
    pub price: MoneyShape,
    /// URLs of images of the variant.
    #[serde(default)]
    #[schema(schema_with = schema::images)]
    pub images: Vec<String>,
}

fn active_by_default() -> bool {
    true
}

impl ProductRequest {
    /// Returns the content of the product, or an error for each invalid field.
    pub fn content(self) -> Result<Content, Vec<FieldError>> {
        let is_short = self.sku.is_some();
        self.read().map_err(|errors| if is_short { shorten_pointers(errors) } else { errors })
    }

    fn read(self) -> Result<Content, Vec<FieldError>> {
        let mut errors = Vec::new();
        let variants = match (self.sku, self.price, self.variants.is_empty()) {
            (None, None, _) => self.variants,
            (Some(sku), Some(price), true) => {
                vec![VariantRequest { sku, options: BTreeMap::new(), price, images: Vec::new() }]
            }
            _ => {
                let detail = "send either `variants`, or both `sku` and `price` at the top level";
                return Err(vec![FieldError::new("/variants", "ambiguous", detail)]);
            }
        };
        check_counts(variants.len(), self.attributes.len())?;
        let variants = variants.into_iter().enumerate().filter_map(|(index, variant)| {
            variant.read(&format!("/variants/{index}")).map_err(|more| errors.extend(more)).ok()
        });
        let variants: Vec<Variant> = variants.collect();
        let attributes = self.attributes.into_iter();
        let attributes = attributes
            .filter_map(|(name, value)| attribute(name, &value).map_err(|error| errors.push(error)).ok());
        let content = Content {
            name: self.name,
            description: self.description,
            category: self.category,
            attributes: attributes.collect(),
            active: self.active,
            variants,
        };
        if errors.is_empty() { content.checked() } else { Err(errors) }
    }
}

/// Refuses too many variants or attributes before any of them is checked.
fn check_counts(variants: usize, attributes: usize) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut check = |pointer: &str, code, count: usize, max: usize| {
        if count > max {
            let detail = format!("at most {max} are allowed; this product has {count}");
            errors.push(FieldError::new(pointer, code, detail));
        }
    };
    check("/variants", "invalid-count", variants, VARIANTS_MAX);
    check("/attributes", "too-many", attributes, ATTRIBUTES_MAX);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Changes the pointers of errors for a request that has `sku` and `price` at the top level.
pub(crate) fn shorten_pointers(errors: Vec<FieldError>) -> Vec<FieldError> {
    let moved = errors.into_iter().map(|error| match short_pointer(&error.pointer) {
        Some(pointer) => FieldError { pointer, ..error },
        None => error,
    });
    moved.collect()
}

/// Returns the pointer to a field of the only variant in a request that has `sku` and `price` at the top
/// level; `None` for other fields.
pub fn short_pointer(pointer: &str) -> Option<String> {
    pointer.strip_prefix("/variants/0/").map(|rest| format!("/{rest}"))
}

impl VariantRequest {
    fn read(self, pointer: &str) -> Result<Variant, Vec<FieldError>> {
        let sku = Sku::parse(&self.sku);
        let price = self.price.read(&format!("{pointer}/price"));
        match (sku, price) {
            (Ok(sku), Ok(price)) => Ok(Variant { sku, options: self.options, price, images: self.images }),
            (sku, price) => {
                let sku = sku
                    .err()
                    .map(|why| FieldError::new(format!("{pointer}/sku"), "invalid-sku", why.to_string()));
                Err(sku.into_iter().chain(price.err()).collect())
            }
        }
    }
}

/// Reads an attribute from a JSON value.
pub(crate) fn attribute(name: String, value: &Value) -> Result<Attribute, FieldError> {
    let (kind, value) = match value {
        Value::String(text) => (AttributeKind::Text, text.clone()),
        Value::Number(number) => (AttributeKind::Number, number.to_string()),
        Value::Bool(truth) => (AttributeKind::Boolean, truth.to_string()),
        _ => {
            let detail = "the value must be a string, a number or a boolean";
            let pointer = format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
            return Err(FieldError::new(pointer, "invalid-type", detail));
        }
    };
    Ok(Attribute { name, kind, value })
}
