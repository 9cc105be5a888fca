//! The document of an order's line.

/// A line as it was ordered.
pub type OrderLineRow = souk_domain::order::event::OrderLine;
