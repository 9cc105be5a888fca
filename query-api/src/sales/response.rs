//! The sales report as it is answered.

use serde::Serialize;
use souk_http::shapes::MoneyShape;
use utoipa::ToSchema;

/// What was sold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Sales")]
#[schema(example = json!({"days": [{"day": "2026-11-21", "orders": 12, "units": 40, "revenue": {"amount": 10200, "currency": "GBP"}}], "total": {"orders": 12, "units": 40, "revenue": {"amount": 10200, "currency": "GBP"}}, "position": "42"}))]
pub(crate) struct SalesAnswer {
    /// Days on which something was sold or given back, in order.
    pub(crate) days: Vec<DayAnswer>,
    /// All those days.
    pub(crate) total: TotalAnswer,
    /// How far the read models are.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// How many orders lack events that wait for an operator; left out when none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub(crate) behind: Option<usize>,
}

/// What was sold on a day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SalesDay")]
pub(crate) struct DayAnswer {
    /// The UTC day on which the orders were confirmed.
    #[schema(example = "2026-11-21")]
    pub(crate) day: String,
    pub(crate) orders: i64,
    pub(crate) units: i64,
    /// The price of the day's orders, less the money that was given back on the day.
    pub(crate) revenue: MoneyShape,
}

/// What was sold on several days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SalesTotal")]
pub(crate) struct TotalAnswer {
    pub(crate) orders: i64,
    pub(crate) units: i64,
    pub(crate) revenue: MoneyShape,
}
