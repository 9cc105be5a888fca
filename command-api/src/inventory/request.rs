//! Request bodies for stock and reservations.

use serde::Deserialize;
use souk_domain::stock::StockCommand;
use souk_domain::text::rules::{REASON, REASON_NEEDED};
use souk_domain::{OrderRef, Sku};
use souk_http::Problem;
use souk_http::shapes::read_text;
use utoipa::ToSchema;

use crate::fields;

/// A count of the units on hand (`onHand`), or a change of their number (`change`) with its reason.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "onHand": 100}))]
pub struct StockRequest {
    /// SKU whose stock changes.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Counted units on hand. Send either this or `change`.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub on_hand: Option<i64>,
    /// Units to add to the stock; negative to subtract.
    #[serde(default)]
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    pub change: Option<i64>,
    /// Reason for the change: at most 500 characters. Required with `change`.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

impl StockRequest {
    /// Returns the SKU and the command to its stock.
    pub fn command(&self) -> Result<(Sku, StockCommand), Problem> {
        let sku = fields::sku(&self.sku)?;
        if let Some(reason) = &self.reason {
            read_text("/reason", reason, &REASON)?;
        }
        let command = match (self.on_hand, self.change) {
            (Some(on_hand), None) => StockCommand::Count { on_hand },
            (None, Some(change)) => {
                let reason = self.reason.as_deref().unwrap_or_default();
                let reason = read_text("/reason", reason, &REASON_NEEDED)?;
                StockCommand::Adjust { change, reason }
            }
            _ => {
                return Err(Problem::field("/onHand", "ambiguous", "send either `onHand` or `change`"));
            }
        };
        Ok((sku, command))
    }
}

/// Units to reserve for an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"orderId": "o1", "sku": "85123A", "quantity": 3, "expiresInSeconds": 900}))]
pub struct ReserveRequest {
    /// Id of the order that the units are reserved for. It may be an order of another system.
    #[schema(min_length = 1, max_length = 64)]
    pub order_id: String,
    /// SKU of the units.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units to reserve.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
    /// Seconds until the reservation expires.
    #[serde(default = "quarter_of_an_hour")]
    #[schema(minimum = 1, maximum = 86_400)]
    pub expires_in_seconds: u32,
}

fn quarter_of_an_hour() -> u32 {
    900
}

/// A reservation, named by its order and SKU.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"orderId": "o1", "sku": "85123A"}))]
pub struct ReservationRequest {
    /// Id of the order that the units are reserved for.
    #[schema(min_length = 1, max_length = 64)]
    pub order_id: String,
    /// SKU of the reserved units.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
}

/// Reads the field `orderId`.
pub fn order_ref(text: &str) -> Result<OrderRef, Problem> {
    OrderRef::parse(text).map_err(|why| Problem::field("/orderId", "invalid-id", why.to_string()))
}
