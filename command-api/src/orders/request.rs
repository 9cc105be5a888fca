//! What is asked of orders.

use serde::{Deserialize, Deserializer, Serialize};
use souk_domain::order::event::{Draft, OrderLine};
use souk_http::closed_texts::OrderStatusShape;
use souk_http::shapes::{AddressShape, EmailShape, MoneyShape};
use utoipa::ToSchema;

/// An order, from the cart or of explicit lines.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"sku": "85123A", "quantity": 2}], "payment": {"token": "tok_ok"}}))]
pub struct OrderRequest {
    /// Whether the cart's lines are ordered.
    #[serde(default)]
    pub cart: bool,
    /// The lines, when not the cart's.
    #[serde(default)]
    #[schema(max_items = 2_000)]
    pub lines: Vec<LineRequest>,
    /// How it is paid; left out, it waits for `POST /api/payments/intents`.
    #[serde(default)]
    pub payment: Option<PaymentRequest>,
    /// Where the goods go.
    #[serde(default)]
    pub shipping_address: Option<AddressShape>,
    /// Whether prices that changed since they were shown are accepted.
    #[serde(default)]
    pub accept_price_changes: bool,
    /// A guest's e-mail address.
    #[serde(default)]
    pub email: Option<EmailShape>,
    /// For whom an admin orders.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub customer_id: Option<String>,
}

/// A line.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LineRequest {
    /// The SKU.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
    /// An admin's price for one.
    #[serde(default)]
    pub unit_price: Option<MoneyShape>,
}

/// How an order is paid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PaymentRequest {
    /// The provider's token.
    #[schema(min_length = 1, max_length = 200)]
    pub token: String,
}

/// Why somebody wants it no more.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"reason": "ordered twice"}))]
pub struct CancelRequest {
    /// In words.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// How it is shipped.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"carrier": "Royal Mail", "tracking": "AB123456789GB"}))]
pub struct ShipRequest {
    /// Who carries it.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub carrier: String,
    /// By which number.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub tracking: String,
}

/// The fields of a shipment that were mistyped. A field that is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"trackingNumber": "AB123456789GB"}))]
pub struct ShipmentCorrection {
    /// The right carrier.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 500, pattern = r"\S")]
    pub carrier: Option<String>,
    /// The right tracking number; empty when there is none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 500)]
    pub tracking_number: Option<String>,
}

/// Reads a text that may be left out and is never `null`.
fn present<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    String::deserialize(text).map(Some)
}

/// What comes back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"sku": "85123A", "quantity": 1}]}))]
pub struct ReturnRequest {
    /// Units by SKU.
    #[schema(min_items = 1)]
    pub lines: Vec<ReturnLine>,
}

/// Units that come back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReturnLine {
    /// The SKU.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

/// What a write to an order answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 2, "position": "42", "status": "CONFIRMED", "code": "SK-7F3K-9QXM"}))]
pub struct OrderWritten {
    /// The order.
    pub id: String,
    /// Its revision.
    pub revision: u64,
    /// How far the log is.
    pub position: String,
    /// Where it stands.
    pub status: OrderStatusShape,
    /// For people.
    #[schema(example = "SK-7F3K-9QXM")]
    pub code: String,
    /// Lines of the cart whose price changed since it was shown, when the order is placed; left out when there are
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub price_changes: Vec<PriceChange>,
}

/// A price that changed between the cart and the order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "shown": {"amount": 300, "currency": "GBP"}, "charged": {"amount": 255, "currency": "GBP"}}))]
pub struct PriceChange {
    /// The SKU.
    pub sku: String,
    /// The price of one that the buyer was shown.
    pub shown: MoneyShape,
    /// The price of one that the buyer pays.
    pub charged: MoneyShape,
}

impl PriceChange {
    /// The changed prices of an order.
    pub fn of(draft: &Draft) -> Vec<Self> {
        let change = |line: &OrderLine| {
            let shown = line.shown_price?.into();
            Some(Self { sku: line.sku.to_string(), shown, charged: line.unit_price.into() })
        };
        draft.lines.iter().filter_map(change).collect()
    }
}

/// How many timers went off.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"fired": 3}))]
pub struct TimersRun {
    /// Timers.
    pub fired: usize,
}
