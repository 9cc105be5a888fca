//! A line of an order.

use serde::{Deserialize, Serialize};
use souk_domain::order::event::OrderLine;

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderLineRow {
    /// The line.
    pub line: OrderLine,
}
