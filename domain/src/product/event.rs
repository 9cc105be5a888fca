//! What can happen to a product.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

use crate::money::Money;
use crate::names::Sku;

/// All that is said of a product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Its name.
    pub name: String,
    /// In the shop's words; may be empty.
    #[serde(default)]
    pub description: String,
    /// A path such as `home/lighting`; may be empty.
    #[serde(default)]
    pub category: String,
    /// In order of name, each name once.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Whether customers see it.
    pub active: bool,
    /// At least one, each SKU once.
    pub variants: Vec<Variant>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// How to read the value.
    pub kind: AttributeKind,
    /// The text, the number as JSON writes it, `true` or `false`.
    pub value: String,
}

/// How to read an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeKind {
    /// Text.
    Text,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// A form of the product that is sold and stocked by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variant {
    /// Its SKU, claimed by this product.
    pub sku: Sku,
    /// What tells it from the others, as in size M.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Its price.
    pub price: Money,
    /// URLs of its images.
    #[serde(default)]
    pub images: Vec<String>,
}

/// It came into the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// All that is said of it.
    pub content: Content,
}

/// All that is said of it was replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// All that is said of it now.
    pub content: Content,
    /// SKUs that are its no more.
    #[serde(default)]
    pub removed_skus: Vec<Sku>,
}

/// It left the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawn {
    /// SKUs that were its.
    pub removed_skus: Vec<Sku>,
}

/// A write that claimed a SKU didn't come: it comes too late now, and the claim can be released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fenced {
    /// The SKU.
    pub sku: Sku,
}

event_enum! {
    /// What happens to a product.
    pub enum ProductEvent {
        Created = "product.created" v 1,
        Changed = "product.changed" v 1,
        Withdrawn = "product.withdrawn" v 1,
        Fenced = "product.fenced" v 1,
    }
}
