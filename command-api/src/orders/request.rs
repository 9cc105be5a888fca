//! Request and response bodies of orders.

use serde::{Deserialize, Serialize};
use souk_domain::order::event::{Draft, OrderLine};
use souk_http::closed_texts::OrderStatusShape;
use souk_http::fields::present;
use souk_http::shapes::{AddressShape, EmailShape, MoneyShape};
use utoipa::ToSchema;

/// A new order: of the cart, or of explicit lines.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"sku": "85123A", "quantity": 2}], "payment": {"token": "tok_ok"}}))]
pub struct OrderRequest {
    /// True to order the lines of the caller's cart. Then `lines` must be absent.
    #[serde(default)]
    pub cart: bool,
    /// Lines to order, if `cart` is false.
    #[serde(default)]
    #[schema(max_items = 2_000)]
    pub lines: Vec<LineRequest>,
    /// Means of payment. Without it, the order waits for `POST /api/payments/intents`.
    #[serde(default)]
    pub payment: Option<PaymentRequest>,
    /// Address to which the goods are sent.
    #[serde(default)]
    pub shipping_address: Option<AddressShape>,
    /// True to accept prices that rose, or changed their currency, since the cart showed them.
    #[serde(default)]
    pub accept_price_changes: bool,
    /// E-mail address of the buyer. Required for guests.
    #[serde(default)]
    pub email: Option<EmailShape>,
    /// Id of the customer for whom an admin places the order. Only admins may send it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub customer_id: Option<String>,
}

/// A line of an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LineRequest {
    /// SKU of the line.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units to order.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
    /// Price of one unit, instead of the price in the catalogue. Only admins may send it.
    #[serde(default)]
    pub unit_price: Option<MoneyShape>,
}

/// The means of payment of an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PaymentRequest {
    /// Token that the payment provider issued for the means of payment.
    #[schema(min_length = 1, max_length = 200)]
    pub token: String,
}

/// The reason for a cancellation.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"reason": "ordered twice"}))]
pub struct CancelRequest {
    /// Reason in words: at most 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// The shipment of an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"carrier": "Royal Mail", "tracking": "AB123456789GB"}))]
pub struct ShipRequest {
    /// Name of the carrier.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub carrier: String,
    /// Tracking number; empty if there is none.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub tracking: String,
}

/// A correction of a shipment. A field that is absent keeps its value.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"trackingNumber": "AB123456789GB"}))]
pub struct ShipmentCorrection {
    /// Correct name of the carrier.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 500, pattern = r"\S")]
    pub carrier: Option<String>,
    /// Correct tracking number; empty if there is none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 500)]
    pub tracking_number: Option<String>,
}

/// The goods that a customer returns.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"sku": "85123A", "quantity": 1}]}))]
pub struct ReturnRequest {
    /// Returned units by SKU.
    #[schema(min_items = 1)]
    pub lines: Vec<ReturnLine>,
}

/// The returned units of a SKU.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReturnLine {
    /// SKU of the returned units.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Number of returned units.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

/// The response to a write to an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 2, "position": "42", "status": "CONFIRMED", "code": "SK-7F3K-9QXM"}))]
pub struct OrderWritten {
    /// Id of the order.
    pub id: String,
    /// Revision of the order.
    pub revision: u64,
    /// Position of the log. Send it as `X-Min-Position` with a read, to see this change.
    pub position: String,
    /// Status of the order.
    pub status: OrderStatusShape,
    /// Short code of the order, for use by people.
    #[schema(example = "SK-7F3K-9QXM")]
    pub code: String,
    /// When a cart is ordered: the prices that changed since the cart showed them. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub price_changes: Vec<PriceChange>,
}

/// A price that changed between the cart and the order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "shown": {"amount": 300, "currency": "GBP"}, "charged": {"amount": 255, "currency": "GBP"}}))]
pub struct PriceChange {
    /// SKU whose price changed.
    pub sku: String,
    /// Price of one unit that the cart showed.
    pub shown: MoneyShape,
    /// Price of one unit that the buyer pays.
    pub charged: MoneyShape,
}

impl PriceChange {
    /// Returns the prices of an order that changed since the cart showed them.
    pub fn of(draft: &Draft) -> Vec<Self> {
        let change = |line: &OrderLine| {
            let shown = line.shown_price?.into();
            Some(Self { sku: line.sku.to_string(), shown, charged: line.unit_price.into() })
        };
        draft.lines.iter().filter_map(change).collect()
    }
}

/// The result of firing the due timers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"fired": 3}))]
pub struct TimersRun {
    /// Number of timers that fired.
    pub fired: usize,
}
