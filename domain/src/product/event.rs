//! Events of a product.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::Sku;
use crate::money::Money;

/// Content of a product: everything that the catalog shows about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Name of the product.
    pub name: String,
    /// Description; may be empty.
    #[serde(default)]
    pub description: String,
    /// Category path such as `home/lighting`; may be empty.
    #[serde(default)]
    pub category: String,
    /// Attributes in the order of their names, each name once.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// True if customers can see and buy the product.
    pub active: bool,
    /// Variants, at least one, each SKU once.
    pub variants: Vec<Variant>,
}

/// An attribute of a product: a named value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// Name of the attribute.
    pub name: String,
    /// Type of the value.
    pub kind: AttributeKind,
    /// The value as text: the text itself, a number as in JSON, or `true` or `false`.
    pub value: String,
}

/// Type of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeKind {
    /// Any text.
    Text,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// A variant of a product, with its own SKU, price and stock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variant {
    /// SKU of the variant, claimed by the product.
    pub sku: Sku,
    /// Options that distinguish the variant from the others, such as size M.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Price of one unit.
    pub price: Money,
    /// URLs of the images.
    #[serde(default)]
    pub images: Vec<String>,
}

/// The product was added to the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Content of the product.
    pub content: Content,
}

/// The content was replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// New content of the product.
    pub content: Content,
    /// SKUs that the product gave up.
    #[serde(default)]
    pub removed_skus: Vec<Sku>,
}

/// The product was removed from the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawn {
    /// SKUs that the product gave up.
    pub removed_skus: Vec<Sku>,
}

/// A write that claimed a SKU did not arrive. It is refused from now on, and the claim can be released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fenced {
    /// SKU that was claimed.
    pub sku: Sku,
}

event_enum! {
    /// Events of a product.
    pub enum ProductEvent {
        Created = "product.created" v 1,
        Changed = "product.changed" v 1,
        Withdrawn = "product.withdrawn" v 1,
        Fenced = "product.fenced" v 1,
    }
}
