//! Response body of a product.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};
use souk_domain::product::event::{Attribute, AttributeKind, Variant};
use souk_eventsourcing::Position;
use souk_http::shapes::MoneyShape;
use souk_projections::products::ProductRow;
use utoipa::ToSchema;

/// Product with all its variants.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Product")]
#[schema(example = json!({"id": "01a1fd90-b598-835c-a543-be32c70af18d", "revision": 0, "position": "42", "name": "White hanging heart", "description": "", "category": "home/lighting", "attributes": {"colour": "white"}, "active": true, "variants": [{"sku": "85123A", "options": {"size": "M"}, "price": {"amount": 255, "currency": "GBP"}, "images": [], "available": 97}], "createdAt": "2026-11-21T10:04:41.767279Z", "updatedAt": "2026-11-21T10:04:41.767279Z"}))]
pub(crate) struct ProductResponse {
    /// Id of the product.
    #[schema(example = "0199c2aa-bbcc-7000-8000-000000000001")]
    id: String,
    /// Name of the product.
    #[schema(example = "White hanging heart")]
    name: String,
    /// Description of the product; may be empty.
    description: String,
    /// Path of the category; may be empty.
    #[schema(example = "home/lighting")]
    category: String,
    /// Attributes by name: strings, numbers or booleans.
    #[schema(value_type = Object, example = json!({"colour": "white"}))]
    attributes: Map<String, Value>,
    /// True if customers can see the product.
    active: bool,
    /// Variants of the product: at least one.
    variants: Vec<VariantResponse>,
    /// Time at which the product was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// Time of the last change.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Revision of the product, for `If-Match`.
    pub(crate) revision: u64,
    /// Log position that the read models have reached.
    #[schema(example = "57")]
    position: String,
}

/// Variant of a product, with its own SKU, price and stock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Variant")]
pub(crate) struct VariantResponse {
    /// SKU of the variant.
    #[schema(example = "85123A")]
    sku: String,
    /// Options in which the variant differs from the other variants.
    #[schema(example = json!({"size": "M"}))]
    options: BTreeMap<String, String>,
    /// Price of one unit.
    price: MoneyShape,
    /// URLs of images of the variant.
    images: Vec<String>,
    /// Number of units on hand that are not reserved.
    available: i64,
}

/// Available units by SKU.
pub(crate) type Available = HashMap<String, i64>;

impl ProductResponse {
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

fn with_stock(variant: Variant, available: &Available) -> VariantResponse {
    let sku = variant.sku.to_string();
    VariantResponse {
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
        // A value that can't be parsed as a number is shown as text.
        AttributeKind::Number => {
            serde_json::from_str(&attribute.value).unwrap_or(Value::String(attribute.value))
        }
    };
    (attribute.name, value)
}
