//! Request and response bodies of carts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_domain::Sku;
use souk_domain::cart::event::Merged;
use utoipa::ToSchema;

/// Units to add to the cart.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "quantity": 2}))]
pub struct ItemRequest {
    /// SKU of the line.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units to add to those that the line already has.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

/// The new number of units of a line.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"quantity": 3}))]
pub struct QuantityRequest {
    /// Units; 0 removes the line.
    #[schema(maximum = 1_000_000)]
    pub quantity: u32,
}

/// The guest's cart whose lines move to the customer's cart.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"cartToken": "AdeQ…"}))]
pub struct MergeRequest {
    /// The token of the guest's cart, from the header `X-Cart-Token`.
    #[schema(min_length = 1, max_length = 200)]
    pub cart_token: String,
}

/// The response to a merge of carts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 2, "position": "42"}))]
pub struct CartsMerged {
    /// Id of the customer's cart.
    pub id: String,
    /// Revision of the customer's cart.
    pub revision: u64,
    /// Position of the log. Send it as `X-Min-Position` with a read, to see this change.
    pub position: String,
    /// Lines that could not take all units of the guest's cart; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub capped: Vec<CappedLine>,
}

/// A line that could not take all units of the guest's cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "leftOut": 2}))]
pub struct CappedLine {
    /// SKU of the line.
    pub sku: String,
    /// Units of the guest's cart that were not added.
    pub left_out: u64,
}

impl CappedLine {
    /// Returns the lines of which a merge added fewer units than the guest's cart had.
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
