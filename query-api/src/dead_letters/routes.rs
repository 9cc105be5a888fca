//! `GET /api/payments/provider/dead-letters`.

use axum::Json;
use axum::extract::State;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery};
use souk_projections::payment_debts::PaymentDebtRow;
use utoipa_axum::routes;

use super::response::DeadLetterResponse;
use crate::database::QueryState;
use crate::list::{NewestFirst, PageQuery};
use crate::positions::ReadYourWrites;
use crate::responses::ListOf;

/// List of dead letters, newest first.
const LIST: NewestFirst<PaymentDebtRow, DeadLetterResponse> = NewestFirst {
    name: "dead-letters",
    models: &["payment_debts"],
    statement: include_str!("list.sql"),
    time_us: |row| row.failure.as_ref().map_or(0, |failure| failure.at.as_microsecond()),
    item: |id, row, _| DeadLetterResponse::new(id, row),
};

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Lists dead letters, newest first. For admins.
///
/// A dead letter is a refund or a void that the payment provider refused. It stays in the list until staff
/// requeue or skip it.
#[utoipa::path(
    get, path = "/api/payments/provider/dead-letters", tag = "payments",
    params(PageQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<DeadLetterResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<ListOf<DeadLetterResponse>>, Problem> {
    LIST.respond(&state, &caller, headers, query).await
}
