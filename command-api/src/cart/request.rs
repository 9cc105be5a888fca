//! What is asked of a cart.

use serde::Deserialize;
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
