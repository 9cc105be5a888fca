//! The lists of the catalogue: one statement in five orders.

/// A page of products in the order of a column; `$1` and `$2` are the value and key that it begins behind. An order
/// by price has those alone that are priced in the currency `$11`.
macro_rules! list {
    ($column:literal, $behind:literal, $direction:literal) => {
        list!($column, $behind, $direction, "")
    };
    ($column:literal, $behind:literal, $direction:literal, $condition:literal) => {
        concat!(
            "WITH found AS (\n    SELECT key, length(doc) AS bytes, ",
            $column,
            " AS sort_value\n    FROM products\n    WHERE ",
            $condition,
            "(",
            $column,
            ", key) ",
            $behind,
            " ($1, $2)\n",
            include_str!("list_filters.sql"),
            "    ORDER BY ",
            $column,
            $direction,
            ", key",
            $direction,
            "\n    LIMIT $3\n), summed AS (\n    SELECT key, sort_value,\n        row_number() OVER sorted AS number,\n",
            "        sum(bytes) OVER sorted AS bytes\n    FROM found\n    WINDOW sorted AS (ORDER BY sort_value",
            $direction,
            ", key",
            $direction,
            ")\n)\n",
            include_str!("list_page.sql"),
            "ORDER BY part, sort_value",
            $direction,
            ", key",
            $direction,
        )
    };
}

/// Newest first.
pub const NEWEST: &str = list!("created_at", "<", " DESC");
/// From A to Z.
pub const NAME: &str = list!("name_key", ">", "");
/// From Z to A.
pub const NAME_DESCENDING: &str = list!("name_key", "<", " DESC");
/// Cheapest first.
pub const PRICE: &str = list!("min_price", ">", "", "currency = $11 AND ");
/// Dearest first.
pub const PRICE_DESCENDING: &str = list!("min_price", "<", " DESC", "currency = $11 AND ");
