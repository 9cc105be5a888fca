//! A product as it is answered.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use souk_domain::product::event::{Attribute, AttributeKind};
use souk_projections::products::ProductRow;
use souk_web::shapes::MoneyShape;
use utoipa::ToSchema;

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductResponse {
    /// Its id.
    pub id: String,
    /// Its revision.
    pub revision: u64,
    /// How far the read models are.
    pub position: String,
    /// Its name.
    pub name: String,
    /// In the shop's words.
    pub description: String,
    /// A path such as `home/lighting`.
    pub category: String,
    /// Strings, numbers or booleans by name.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub attributes: BTreeMap<String, Value>,
    /// Whether customers see it.
    pub active: bool,
    /// Its variants.
    pub variants: Vec<VariantResponse>,
    /// When it came into the catalogue.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A variant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VariantResponse {
    /// Its SKU.
    pub sku: String,
    /// What tells it from the others.
    pub options: BTreeMap<String, String>,
    /// Its price.
    pub price: MoneyShape,
    /// URLs of its images.
    pub images: Vec<String>,
    /// Units that can be bought.
    pub available: i64,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductPage {
    /// The products.
    pub items: Vec<ProductResponse>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
    /// How far the read models are.
    pub position: String,
}

impl ProductResponse {
    /// Row and stock, put together.
    pub fn new(id: &str, row: ProductRow, available: &BTreeMap<String, i64>, position: &str) -> Self {
        let variants = row.content.variants.into_iter().map(|variant| VariantResponse {
            available: available.get(variant.sku.as_str()).copied().unwrap_or(0),
            sku: variant.sku.to_string(),
            options: variant.options,
            price: variant.price.into(),
            images: variant.images,
        });
        Self {
            id: id.to_owned(),
            revision: row.revision,
            position: position.to_owned(),
            variants: variants.collect(),
            name: row.content.name,
            description: row.content.description,
            category: row.content.category,
            attributes: row.content.attributes.into_iter().map(attribute).collect(),
            active: row.content.active,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

fn attribute(attribute: Attribute) -> (String, Value) {
    let value = match attribute.kind {
        AttributeKind::Text => Value::String(attribute.value),
        // A number keeps the digits it was sent with.
        AttributeKind::Number | AttributeKind::Boolean => {
            serde_json::from_str(&attribute.value).unwrap_or(Value::String(attribute.value))
        }
    };
    (attribute.name, value)
}
