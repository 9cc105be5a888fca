//! `GET /api/payments`, `GET /api/payments/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery};
use souk_projections::payments::PaymentRow;
use utoipa_axum::routes;

use super::response::PaymentResponse;
use crate::database::{QueryState, database_problem, parse_document};
use crate::list::{NewestFirst, PageQuery};
use crate::orders::owner::OrderOwner;
use crate::positions::ReadYourWrites;
use crate::responses::{ListOf, Single};

/// Read models of payments.
const MODELS: &[&str] = &["payments"];

/// Row of a payment: its document, and the customer of its order, or the cart of a guest.
type PaymentAndOwner = (Vec<u8>, Option<String>, Option<String>);

/// List of payments, newest first.
const LIST: NewestFirst<PaymentRow, PaymentResponse> = NewestFirst {
    name: "payments",
    models: MODELS,
    statement: include_str!("list.sql"),
    time_us: |row| row.requested_at.as_microsecond(),
    item: |id, row, position| Some(PaymentResponse::new(id, row, position)),
};

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin).route(routes!(get), Access::Buyer)
}

/// Lists payments, newest first. For admins.
#[utoipa::path(
    get, path = "/api/payments", tag = "payments",
    params(PageQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<PaymentResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<ListOf<PaymentResponse>>, Problem> {
    LIST.respond(&state, &caller, headers, query).await
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
    let statement = sqlx::query_as::<_, PaymentAndOwner>(include_str!("get.sql")).bind(&id);
    let found = statement
        .fetch_optional(&mut *state.readers.connection_for(&caller).await?)
        .await
        .map_err(database_problem)?;
    let (payment, customer, cart) = found.ok_or_else(|| at.not_found("payment"))?;
    if !(OrderOwner { customer, cart }).allows(&caller) {
        return Err(at.not_found("payment"));
    }
    let body = PaymentResponse::new(id, parse_document(&payment)?, at.position);
    Ok(Single { revision: Some(body.revision), parked_since: at.parked_since, body })
}
