//! What decisions need of a product. Descriptions and attributes are not among it: a hash tells whether
//! they changed.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::money::Money;
use crate::names::Sku;

use super::event::Content;

/// The state of a product. Once it is withdrawn, its name and SKUs are gone from here.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductState {
    pub(super) life: Life,
    pub(super) epoch: u64,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) variants: BTreeMap<Sku, VariantState>,
    pub(super) content_hash: [u8; 16],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Life {
    #[default]
    NotCreated,
    Live,
    Withdrawn,
}

/// What is to know of a variant to sell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantState {
    /// Its price.
    pub price: Money,
    /// What tells it from the others, as in size M.
    pub options: BTreeMap<String, String>,
}

impl ProductState {
    /// Whether it was ever created.
    pub fn exists(&self) -> bool {
        self.life != Life::NotCreated
    }

    /// Whether it left the catalogue for good.
    pub fn is_withdrawn(&self) -> bool {
        self.life == Life::Withdrawn
    }

    /// Whether customers can buy it.
    pub fn is_listed(&self) -> bool {
        self.life == Life::Live && self.active
    }

    /// How often it gave SKUs up, or a write that was to hold some was fenced off.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its variants.
    pub fn variant(&self, sku: &Sku) -> Option<&VariantState> {
        self.variants.get(sku)
    }

    /// The SKUs that are its.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.variants.keys()
    }

    /// Whether it says just this already.
    pub fn has_content(&self, content: &Content) -> bool {
        self.life == Life::Live && self.content_hash == hash_of(content)
    }
}

/// BLAKE3 of the content's JSON, its first 16 bytes.
pub(super) fn hash_of(content: &Content) -> [u8; 16] {
    let json = serde_json::to_vec(content).expect("contents have string keys and no failing serializers");
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&json).as_bytes()[..16]);
    hash
}
