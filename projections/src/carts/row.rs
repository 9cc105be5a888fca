//! A cart without its lines.

use serde::{Deserialize, Serialize};
use souk_domain::CustomerId;

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartRow {
    /// Of the stream.
    pub revision: u64,
    /// Whose it is; none for a guest's.
    pub customer: Option<CustomerId>,
}
