//! What is asked of stock.

use serde::Deserialize;
use souk_domain::stock::StockCommand;
use souk_domain::text::rules::{REASON, REASON_NEEDED};
use souk_domain::{OrderRef, Sku};
use souk_http::Problem;
use souk_http::shapes::read_text;
use utoipa::ToSchema;

/// A count (`onHand`), or a change with its reason.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "onHand": 100}))]
pub struct StockRequest {
    /// The SKU.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units that are there.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub on_hand: Option<i64>,
    /// Units more or fewer.
    #[serde(default)]
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    pub change: Option<i64>,
    /// Why they changed.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

impl StockRequest {
    /// The SKU and the command.
    pub fn command(&self) -> Result<(Sku, StockCommand), Problem> {
        let sku = sku(&self.sku)?;
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
                return Err(Problem::field("/onHand", "ambiguous", "either `onHand` or `change` is allowed"));
            }
        };
        Ok((sku, command))
    }
}

/// Units to hold for an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"orderId": "o1", "sku": "85123A", "quantity": 3, "expiresInSeconds": 900}))]
pub struct ReserveRequest {
    /// Whom for.
    #[schema(min_length = 1, max_length = 64)]
    pub order_id: String,
    /// The SKU.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Units.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
    /// Seconds until they are free again.
    #[serde(default = "quarter_of_an_hour")]
    #[schema(minimum = 1, maximum = 86_400)]
    pub expires_in_seconds: u32,
}

fn quarter_of_an_hour() -> u32 {
    900
}

/// A reservation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"orderId": "o1", "sku": "85123A"}))]
pub struct ReservationRequest {
    /// Whose.
    #[schema(min_length = 1, max_length = 64)]
    pub order_id: String,
    /// The SKU.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
}

/// Reads a SKU.
pub fn sku(text: &str) -> Result<Sku, Problem> {
    Sku::parse(text).map_err(|why| Problem::field("/sku", "invalid-sku", why.to_string()))
}

/// Reads an order's id.
pub fn order(text: &str) -> Result<OrderRef, Problem> {
    OrderRef::parse(text).map_err(|why| Problem::field("/orderId", "invalid-id", why.to_string()))
}
