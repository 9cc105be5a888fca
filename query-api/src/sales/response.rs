//! Response body of the sales report.

use serde::Serialize;
use souk_http::shapes::MoneyShape;
use utoipa::ToSchema;

/// Sales report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Sales")]
#[schema(example = json!({"days": [{"day": "2026-11-21", "orders": 12, "units": 40, "revenue": {"amount": 10200, "currency": "GBP"}}], "total": {"orders": 12, "units": 40, "revenue": {"amount": 10200, "currency": "GBP"}}, "position": "42"}))]
pub(crate) struct SalesResponse {
    /// Days with sales or refunds, oldest first.
    pub(crate) days: Vec<DayResponse>,
    /// Sum of these days.
    pub(crate) total: TotalResponse,
    /// Log position that the read models have reached.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Number of orders and payments that lack events, because these events wait for an operator; left out if
    /// it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub(crate) behind: Option<usize>,
}

/// Sales of one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SalesDay")]
pub(crate) struct DayResponse {
    /// UTC day.
    #[schema(example = "2026-11-21")]
    pub(crate) day: String,
    /// Number of orders that were confirmed on this day and not cancelled since.
    pub(crate) orders: i64,
    /// Number of units in these orders.
    pub(crate) units: i64,
    /// Price of these orders, minus the money that was refunded on this day.
    pub(crate) revenue: MoneyShape,
}

/// Sales of several days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SalesTotal")]
pub(crate) struct TotalResponse {
    pub(crate) orders: i64,
    pub(crate) units: i64,
    pub(crate) revenue: MoneyShape,
}
