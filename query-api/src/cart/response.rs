//! Response body of a cart.

use serde::Serialize;
use souk_domain::Money;
use souk_http::shapes::MoneyShape;
use souk_projections::cart_lines::CartLineRow;
use souk_projections::variants::VariantRow;
use utoipa::ToSchema;

/// Cart with its lines.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Cart")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 1, "lines": [{"sku": "85123A", "name": "White hanging heart", "quantity": 2, "unitPrice": {"amount": 255, "currency": "GBP"}, "lineTotal": {"amount": 510, "currency": "GBP"}, "productId": "01a1fd90-b598-87fd-94e6-f091dfdb3cdb", "currentPrice": {"amount": 265, "currency": "GBP"}, "changes": ["price-changed"]}], "total": {"amount": 510, "currency": "GBP"}, "position": "42"}))]
pub(crate) struct CartResponse {
    /// Id of the cart; null for a guest without a cart.
    pub(crate) id: Option<String>,
    /// Revision of the cart, for `If-Match`; 0 for a cart that does not exist yet.
    pub(crate) revision: u64,
    /// Lines in the order in which they were added.
    pub(crate) lines: Vec<CartLineResponse>,
    /// Sum of the totals of the lines.
    pub(crate) total: MoneyShape,
    /// Log position that the read models have reached.
    #[schema(example = "57")]
    pub(crate) position: String,
}

/// Line of a cart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "CartLine")]
pub(crate) struct CartLineResponse {
    product_id: String,
    #[schema(example = "85123A")]
    pub(super) sku: String,
    /// Current name of the product, or its last name if it is withdrawn.
    name: String,
    quantity: u32,
    /// Price of one unit when the line was last changed.
    unit_price: MoneyShape,
    /// Unit price times quantity.
    pub(crate) line_total: MoneyShape,
    /// Current price of one unit, or the last price if the product is withdrawn.
    current_price: MoneyShape,
    /// Differences between the line and the current product and stock, to be checked before ordering.
    changes: Vec<LineChange>,
}

/// Difference between a line of a cart and the current product and stock.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LineChange {
    /// The current price differs from the unit price of the line.
    PriceChanged,
    /// Fewer units are available than the quantity of the line.
    InsufficientStock,
    /// The product is no longer for sale.
    Withdrawn,
}

impl CartLineResponse {
    /// Combines a line with the current variant of its SKU and the available units. `variant` is `None` if
    /// the read models do not know the SKU; then the name is empty.
    pub(crate) fn new(line: &CartLineRow, variant: Option<VariantRow>, available: i64) -> Self {
        let is_sold = variant.as_ref().is_some_and(|variant| !variant.withdrawn && variant.active);
        let current_price = variant.as_ref().map_or(line.unit_price, |variant| variant.price);
        let mut changes = Vec::new();
        if current_price != line.unit_price {
            changes.push(LineChange::PriceChanged);
        }
        if available < i64::from(line.quantity) {
            changes.push(LineChange::InsufficientStock);
        }
        if !is_sold {
            changes.push(LineChange::Withdrawn);
        }
        let amount = line.unit_price.amount.saturating_mul(i64::from(line.quantity));
        Self {
            product_id: line.product.to_string(),
            sku: line.sku.to_string(),
            name: variant.map(|variant| variant.name).unwrap_or_default(),
            quantity: line.quantity,
            unit_price: line.unit_price.into(),
            line_total: Money { amount, ..line.unit_price }.into(),
            current_price: current_price.into(),
            changes,
        }
    }
}
