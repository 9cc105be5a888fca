//! Statements of the list of products: the same statement with five sort orders.

/// Statement for a page of products sorted by a column. The page begins after the value `$1` and the key
/// `$2`. A list that is sorted by price has only products with prices in the currency `$11`.
macro_rules! list {
    ($column:literal, $comparison:literal, $direction:literal) => {
    list!($column, $comparison, $direction, "")
    };
    ($column:literal, $comparison:literal, $direction:literal, $condition:literal) => {
        concat!(
            "WITH found AS (\n    SELECT key, length(doc) AS bytes, ",
            $column,
            " AS sort_value\n    FROM products\n    WHERE ",
            $condition,
            "(",
            $column,
            ", key) ",
            $comparison,
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

/// Products sorted by age, newest first.
pub const NEWEST: &str = list!("created_at", "<", " DESC");
/// Products sorted by name, from A to Z.
pub const NAME: &str = list!("name_key", ">", "");
/// Products sorted by name, from Z to A.
pub const NAME_DESCENDING: &str = list!("name_key", "<", " DESC");
/// Products sorted by price, cheapest first.
pub const PRICE: &str = list!("min_price", ">", "", "currency = $11 AND ");
/// Products sorted by price, most expensive first.
pub const PRICE_DESCENDING: &str = list!("min_price", "<", " DESC", "currency = $11 AND ");
