//! A product as it is answered.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};
use souk_domain::product::event::{Attribute, AttributeKind, Variant};
use souk_eventsourcing::Position;
use souk_http::shapes::MoneyShape;
use souk_projections::products::ProductRow;
use utoipa::ToSchema;

/// A product with all its variants.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Product")]
#[schema(example = json!({"id": "01a1fd90-b598-835c-a543-be32c70af18d", "revision": 0, "position": "42", "name": "White hanging heart", "description": "", "category": "home/lighting", "attributes": {"colour": "white"}, "active": true, "variants": [{"sku": "85123A", "options": {"size": "M"}, "price": {"amount": 255, "currency": "GBP"}, "images": [], "available": 97}], "createdAt": "2026-11-21T10:04:41.767279Z", "updatedAt": "2026-11-21T10:04:41.767279Z"}))]
pub(crate) struct ProductAnswer {
    /// Its id.
    #[schema(example = "0199c2aa-bbcc-7000-8000-000000000001")]
    id: String,
    /// Its name.
    #[schema(example = "White hanging heart")]
    name: String,
    /// In the shop's words; may be empty.
    description: String,
    /// A path; may be empty.
    #[schema(example = "home/lighting")]
    category: String,
    /// Strings, numbers or booleans, by name.
    #[schema(value_type = Object, example = json!({"colour": "white"}))]
    attributes: Map<String, Value>,
    /// Whether customers see it.
    active: bool,
    /// At least one.
    variants: Vec<VariantAnswer>,
    /// When it came into the catalogue.
    #[schema(format = DateTime)]
    created_at: String,
    /// When something was last said of it.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Its revision, for `If-Match`.
    pub(crate) revision: u64,
    /// How far the read models are.
    #[schema(example = "57")]
    position: String,
}

/// A form of the product that is sold and stocked by itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Variant")]
pub(crate) struct VariantAnswer {
    /// Its SKU.
    #[schema(example = "85123A")]
    sku: String,
    /// What tells it from the others.
    #[schema(example = json!({"size": "M"}))]
    options: BTreeMap<String, String>,
    /// Its price.
    price: MoneyShape,
    /// URLs of its images.
    images: Vec<String>,
    /// Units on hand that nobody holds.
    available: i64,
}

/// Units that are available, by SKU.
pub(crate) type Available = HashMap<String, i64>;

impl ProductAnswer {
    pub(crate) fn new(id: String, row: ProductRow, available: &Available, position: Position) -> Self {
        let content = row.content;
        Self {
            id,
            name: content.name,
            description: content.description,
            category: content.category,
            attributes: content.attributes.into_iter().map(attribute).collect(),
            active: content.active,
            variants: content.variants.into_iter().map(|variant| with_stock(variant, available)).collect(),
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
            revision: row.revision,
            position: position.to_string(),
        }
    }
}

fn with_stock(variant: Variant, available: &Available) -> VariantAnswer {
    let sku = variant.sku.to_string();
    VariantAnswer {
        available: available.get(&sku).copied().unwrap_or(0),
        sku,
        options: variant.options,
        price: variant.price.into(),
        images: variant.images,
    }
}

fn attribute(attribute: Attribute) -> (String, Value) {
    let value = match attribute.kind {
        AttributeKind::Text => Value::String(attribute.value),
        AttributeKind::Boolean => Value::Bool(attribute.value == "true"),
        // What doesn't read as a number is shown as it stands.
        AttributeKind::Number => {
            serde_json::from_str(&attribute.value).unwrap_or(Value::String(attribute.value))
        }
    };
    (attribute.name, value)
}
