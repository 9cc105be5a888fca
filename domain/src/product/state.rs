//! State of a product: the facts that later decisions need. Instead of descriptions and attributes it has a
//! hash of the content, which shows whether they changed.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::Sku;
use crate::money::Money;

use super::event::Content;

/// State of a product. The name and SKUs of a withdrawn product are removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductState {
    #[serde(rename = "life")]
    pub(super) lifecycle: Lifecycle,
    pub(super) epoch: u64,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) variants: BTreeMap<Sku, VariantState>,
    pub(super) content_hash: [u8; 16],
}

/// Stage in the lifecycle of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Lifecycle {
    #[default]
    NotCreated,
    Live,
    Withdrawn,
}

/// The part of a variant that is needed to sell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantState {
    /// Price of one unit.
    pub price: Money,
    /// Options that distinguish the variant from the others, such as size M.
    pub options: BTreeMap<String, String>,
}

impl ProductState {
    /// Returns true if the product was ever created.
    pub fn exists(&self) -> bool {
        self.lifecycle != Lifecycle::NotCreated
    }

    /// Returns true if the product was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        self.lifecycle == Lifecycle::Withdrawn
    }

    /// Returns true if customers can buy the product.
    pub fn is_listed(&self) -> bool {
        self.lifecycle == Lifecycle::Live && self.active
    }

    /// Returns the current epoch: the number of times that the product gave up SKUs or was fenced.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the name of the product.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the variant with a SKU.
    pub fn variant(&self, sku: &Sku) -> Option<&VariantState> {
        self.variants.get(sku)
    }

    /// Returns the SKUs of the product.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.variants.keys()
    }

    /// Returns true if the product already has exactly this content.
    pub fn has_content(&self, content: &Content) -> bool {
        self.lifecycle == Lifecycle::Live && self.content_hash == hash_of(content)
    }
}

/// Returns the first 16 bytes of the BLAKE3 hash of the content's JSON.
pub(super) fn hash_of(content: &Content) -> [u8; 16] {
    let json =
        serde_json::to_vec(content).expect("a content has only string keys and values that always serialize");
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&json).as_bytes()[..16]);
    hash
}
