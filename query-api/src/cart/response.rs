//! A cart as it is answered.

use serde::Serialize;
use souk_domain::Money;
use souk_http::shapes::MoneyShape;
use souk_projections::cart_lines::CartLineRow;
use souk_projections::variants::VariantRow;
use utoipa::ToSchema;

/// A cart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Cart")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 1, "lines": [{"sku": "85123A", "name": "White hanging heart", "quantity": 2, "unitPrice": {"amount": 255, "currency": "GBP"}, "lineTotal": {"amount": 510, "currency": "GBP"}, "productId": "01a1fd90-b598-87fd-94e6-f091dfdb3cdb", "currentPrice": {"amount": 265, "currency": "GBP"}, "changes": ["price-changed"]}], "total": {"amount": 510, "currency": "GBP"}, "position": "42"}))]
pub(crate) struct CartAnswer {
    /// Its id; null for a guest who has none yet.
    pub(crate) id: Option<String>,
    /// Its revision, for `If-Match`; 0 as well for a cart that nothing was ever put in.
    pub(crate) revision: u64,
    /// In the order in which they were added.
    pub(crate) lines: Vec<CartLineAnswer>,
    /// The sum of the lines' totals.
    pub(crate) total: MoneyShape,
    /// How far the read models are.
    #[schema(example = "57")]
    pub(crate) position: String,
}

/// A line of a cart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "CartLine")]
pub(crate) struct CartLineAnswer {
    product_id: String,
    #[schema(example = "85123A")]
    pub(super) sku: String,
    /// The product's name now, or its last.
    name: String,
    quantity: u32,
    /// What one cost when the line was last changed.
    unit_price: MoneyShape,
    /// So many times the unit price.
    pub(crate) line_total: MoneyShape,
    /// What one costs now, or cost last.
    current_price: MoneyShape,
    /// What the buyer should look at before ordering.
    changes: Vec<LineChange>,
}

/// Something about a line that is not as it was.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LineChange {
    /// One costs something else now.
    PriceChanged,
    /// Fewer units are available than the line has.
    InsufficientStock,
    /// It is sold no more.
    Withdrawn,
}

impl CartLineAnswer {
    /// A line beside what is sold now (`None`: nothing is known of the SKU) and available.
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
