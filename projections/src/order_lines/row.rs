//! Row of the read model `order_lines`.

/// Order line, as the buyer ordered it.
pub type OrderLineRow = souk_domain::order::event::OrderLine;
