//! `GET /api/payments`, `GET /api/payments/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::orders::OrderRow;
use souk_projections::payments::PaymentRow;
use utoipa_axum::routes;

use super::response::PaymentResponse;
use crate::database::{AFTER_EVERY_TEXT, QueryState, document, failed};
use crate::orders::routes::may_see;
use crate::pages::{Page, Size, one_more};
use crate::positions::ReadYourWrites;
use crate::responses::{ListOf, Single};

/// Name of the list in its cursors.
const LIST: &str = "payments";
/// Read models of payments.
const MODELS: &[&str] = &["payments"];

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin).route(routes!(get), Access::Buyer)
}

/// Query parameters of the list of payments.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PaymentsQuery {
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists payments, newest first. For admins.
#[utoipa::path(
    get, path = "/api/payments", tag = "payments",
    params(PaymentsQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<PaymentResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<PaymentsQuery>,
) -> Result<Json<ListOf<PaymentResponse>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(i64, String)>(LIST, query.cursor.as_deref())?;
    let (requested_at, key) = cursor.unwrap_or((i64::MAX, AFTER_EVERY_TEXT.to_owned()));
    let position = state.positions.wait_for(headers).await?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("list.sql"));
    let statement = statement.bind(requested_at).bind(key).bind(one_more(limit));
    let mut connection = state.readers.connection_for(&caller).await?;
    let page = Page::read(statement.fetch(&mut *connection), limit, |(_, bytes)| Size::of_bytes(bytes.len())).await?;
    drop(connection);
    let page = page.try_map(|(id, bytes)| Ok((id, document::<PaymentRow>(&bytes)?)))?;
    let next_cursor =
        page.next_cursor(|(id, row)| paging::encode(LIST, &(row.requested_at.as_microsecond(), id)));
    let items = page.items.into_iter().map(|(id, row)| PaymentResponse::new(id, row, position)).collect();
    let behind = state.positions.count_behind(MODELS);
    Ok(Json(ListOf { items, next_cursor, position: position.to_string(), behind }))
}

/// Shows a payment.
///
/// Callers see the payments of their own orders, admins see all payments.
#[utoipa::path(
    get, path = "/api/payments/{id}", tag = "payments",
    params(("id" = String, Path, format = "uuid"), ReadYourWrites),
    responses((status = 200, body = PaymentResponse, headers(("ETag" = String))))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(id): Path<String>,
) -> Result<Single<PaymentResponse>, Problem> {
    let at = state.positions.wait_for_one(headers, MODELS, &id).await?;
    let statement = sqlx::query_as::<_, (Vec<u8>, Option<Vec<u8>>)>(include_str!("get.sql")).bind(&id);
    let found =
        statement.fetch_optional(&mut *state.readers.connection_for(&caller).await?).await.map_err(failed)?;
    let (payment, order) = found.ok_or_else(|| at.not_found("payment"))?;
    let order = order.map(|bytes| document::<OrderRow>(&bytes)).transpose()?;
    if !caller.is_admin() && !order.is_some_and(|order| may_see(&caller, &order)) {
        return Err(at.not_found("payment"));
    }
    let body = PaymentResponse::new(id, document(&payment)?, at.position);
    Ok(Single { revision: Some(body.revision), parked_since: at.parked_since, body })
}
