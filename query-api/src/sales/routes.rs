//! `GET /api/orders/admin/sales`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::shapes::MoneyShape;
use souk_http::{Caller, Problem, StrictQuery};
use utoipa_axum::routes;

use super::response::{DayResponse, SalesResponse, TotalResponse};
use crate::database::{AFTER_EVERY_TEXT, QueryState, currency, database_problem};
use crate::positions::ReadYourWrites;
use crate::time_range;

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(report), Access::Admin)
}

/// Query parameters of the sales report.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SalesQuery {
    /// First UTC day of the report. Without it, the report starts with the first sale.
    #[param(format = "date", example = "2026-11-01")]
    from: Option<String>,
    /// Last UTC day of the report. Without it, the report ends with the last sale.
    #[param(format = "date", example = "2026-11-30")]
    to: Option<String>,
    /// Currency of the report. The default is the shop's currency.
    #[param(pattern = "^[A-Z]{3}$", example = "GBP")]
    currency: Option<String>,
}

/// Reports sales by day.
///
/// The report has orders in one currency. An order counts on the UTC day of its confirmation, unless it was
/// cancelled later. The revenue of a day is the price of its orders minus the refunds of that day. Refunds
/// for returns and by goodwill count on the day of the refund, so the revenue of a day can be negative. The
/// refund of a cancelled order does not count, because the order itself does not count.
#[utoipa::path(
    get, path = "/api/orders/admin/sales", tag = "orders",
    params(SalesQuery, ReadYourWrites),
    responses((status = 200, body = SalesResponse))
)]
async fn report(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<SalesQuery>,
) -> Result<Json<SalesResponse>, Problem> {
    let currency = currency(&state, query.currency.as_deref())?;
    let from = time_range::day("from", query.from.as_deref())?;
    let to = time_range::day("to", query.to.as_deref())?;
    if let (Some(from), Some(to)) = (&from, &to) {
        time_range::check(from, to)?;
    }
    let from = from.map(|day| day.to_string());
    let to = to.map(|day| day.to_string());
    let position = state.positions.wait_for(headers).await?;
    let statement = sqlx::query_as::<_, (String, i64, i64, i64)>(include_str!("list.sql"))
        .bind(format!("{currency}:{}", from.as_deref().unwrap_or("")))
        .bind(format!("{currency}:{}", to.as_deref().unwrap_or(AFTER_EVERY_TEXT)));
    let rows = statement
        .fetch_all(&mut *state.readers.connection_for(&caller).await?)
        .await
        .map_err(database_problem)?;
    let money = |amount| MoneyShape { amount, currency: currency.to_owned() };
    let sum = |of: fn(&(String, i64, i64, i64)) -> i64| rows.iter().map(of).fold(0_i64, i64::saturating_add);
    let total =
        TotalResponse { orders: sum(|row| row.1), units: sum(|row| row.2), revenue: money(sum(|row| row.3)) };
    let days = rows.iter().map(|(key, orders, units, revenue)| DayResponse {
        day: key.split_once(':').map_or(key.as_str(), |(_, day)| day).to_owned(),
        orders: *orders,
        units: *units,
        revenue: money(*revenue),
    });
    let behind = state.positions.count_behind(&["orders", "payments"]);
    Ok(Json(SalesResponse { days: days.collect(), total, position: position.to_string(), behind }))
}
