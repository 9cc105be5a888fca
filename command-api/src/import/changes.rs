//! The changes that an import would make, for people to read: each field with its value before and after.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_domain::product::Content;
use souk_domain::product::event::Variant;
use souk_domain::text::quoted;
use utoipa::ToSchema;

/// Maximum number of changes that are listed for one line.
pub const CHANGES_MAX: usize = 50;

/// A field that a line changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Name of the field, such as `price` or `attributes.colour`.
    pub field: String,
    /// SKU of the variant that has the field; absent for a field of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Value before the change, cut to 100 characters; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Value after the change, cut to 100 characters; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Values by SKU and field name. The SKU is empty for fields of the product.
type Fields = BTreeMap<(String, String), String>;

/// Returns the differences between two contents, at most [`CHANGES_MAX`] of them.
pub fn between(before: &Content, after: &Content) -> Vec<FieldChange> {
    let old = fields(before);
    let new = fields(after);
    let removed =
        old.iter().filter(|(key, _)| !new.contains_key(key)).map(|(key, value)| (key, Some(value), None));
    let changed = new.iter().filter(|(key, value)| old.get(key) != Some(value));
    let changed = changed.map(|(key, value)| (key, old.get(key), Some(value)));
    let changes = changed.chain(removed).take(CHANGES_MAX).map(|((sku, field), from, to)| FieldChange {
        field: quoted(field),
        sku: (!sku.is_empty()).then(|| sku.clone()),
        from: from.map(|value| quoted(value)),
        to: to.map(|value| quoted(value)),
    });
    changes.collect()
}

fn fields(content: &Content) -> Fields {
    let mut fields = Fields::new();
    let mut add_field = |field: &str, value: &str| {
        fields.insert((String::new(), field.to_owned()), value.to_owned());
    };
    add_field("name", &content.name);
    add_field("description", &content.description);
    add_field("category", &content.category);
    add_field("active", if content.active { "true" } else { "false" });
    for attribute in &content.attributes {
        add_field(&format!("attributes.{}", attribute.name), &attribute.value);
    }
    for variant in &content.variants {
        add_variant(&mut fields, variant);
    }
    fields
}

fn add_variant(fields: &mut Fields, variant: &Variant) {
    let mut add_field = |field: String, value: String| {
        fields.insert((variant.sku.to_string(), field), value);
    };
    add_field("price".to_owned(), variant.price.to_string());
    if !variant.images.is_empty() {
        add_field("images".to_owned(), variant.images.join(" "));
    }
    for (name, value) in &variant.options {
        add_field(format!("options.{name}"), value.clone());
    }
}
