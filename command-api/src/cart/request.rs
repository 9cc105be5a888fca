//! What is asked of a cart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_domain::Sku;
use souk_domain::cart::event::Merged;
use utoipa::ToSchema;

/// Units to put in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "quantity": 2}))]
pub struct ItemRequest {
    /// The SKU.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units more.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

/// Units that a line shall have.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"quantity": 3}))]
pub struct QuantityRequest {
    /// Units; 0 takes the line out.
    #[schema(maximum = 1_000_000)]
    pub quantity: u32,
}

/// The guest cart whose lines a customer takes over.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"cartToken": "AdeQ…"}))]
pub struct MergeRequest {
    /// Its token.
    #[schema(min_length = 1, max_length = 200)]
    pub cart_token: String,
}

/// The response to a merge of carts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 2, "position": "42"}))]
pub struct CartsMerged {
    /// The customer's cart.
    pub id: String,
    /// Its revision.
    pub revision: u64,
    /// The position of the log: send it back as `X-Min-Position` to read what was written.
    pub position: String,
    /// Lines that had no room for all units of the guest's cart; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub capped: Vec<CappedLine>,
}

/// A line that had no room for all units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "leftOut": 2}))]
pub struct CappedLine {
    /// The SKU.
    pub sku: String,
    /// Units of the guest's cart that were not taken in.
    pub left_out: u64,
}

impl CappedLine {
    /// The lines of a merge that took in fewer units than were there.
    pub fn of(merged: &Merged) -> Vec<Self> {
        let mut left_out: BTreeMap<&Sku, u64> = BTreeMap::new();
        for line in &merged.fresh {
            *left_out.entry(&line.sku).or_default() += u64::from(line.quantity);
        }
        for line in &merged.lines {
            let units = left_out.entry(&line.sku).or_default();
            *units = units.saturating_sub(u64::from(line.quantity));
        }
        let capped = left_out.into_iter().filter(|(_, units)| *units > 0);
        capped.map(|(sku, left_out)| Self { sku: sku.to_string(), left_out }).collect()
    }
}
