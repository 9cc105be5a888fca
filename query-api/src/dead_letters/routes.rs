//! `GET /api/payments/provider/dead-letters`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::payment_debts::PaymentDebtRow;
use utoipa_axum::routes;

use super::response::DeadLetterResponse;
use crate::database::{AFTER_EVERY_TEXT, QueryState, document};
use crate::pages::{Page, Size, one_more};
use crate::positions::ReadYourWrites;
use crate::responses::ListOf;

/// Name of the list in its cursors.
const LIST: &str = "dead-letters";
/// Read models of dead letters.
const MODELS: &[&str] = &["payment_debts"];

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Query parameters of the list of dead letters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeadLettersQuery {
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists dead letters, newest first. For admins.
///
/// A dead letter is a refund or a void that the payment provider refused. It stays in the list until staff
/// requeue or skip it.
#[utoipa::path(
    get, path = "/api/payments/provider/dead-letters", tag = "payments",
    params(DeadLettersQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<DeadLetterResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<DeadLettersQuery>,
) -> Result<Json<ListOf<DeadLetterResponse>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(i64, String)>(LIST, query.cursor.as_deref())?;
    let (failed_at, key) = cursor.unwrap_or((i64::MAX, AFTER_EVERY_TEXT.to_owned()));
    let position = state.positions.wait_for(headers).await?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("list.sql"));
    let statement = statement.bind(failed_at).bind(key).bind(one_more(limit));
    let mut connection = state.readers.connection_for(&caller).await?;
    let page = Page::read(statement.fetch(&mut *connection), limit, |(_, bytes)| Size::of_bytes(bytes.len())).await?;
    drop(connection);
    let page = page.try_map(|(id, bytes)| Ok((id, document::<PaymentDebtRow>(&bytes)?)))?;
    let next_cursor = page.next_cursor(|(id, row)| {
        let failed_at = row.failure.as_ref().map_or(0, |failure| failure.at.as_microsecond());
        paging::encode(LIST, &(failed_at, id))
    });
    let items = page.items.into_iter().filter_map(|(id, row)| DeadLetterResponse::new(id, row)).collect();
    let behind = state.positions.count_behind(MODELS);
    Ok(Json(ListOf { items, next_cursor, position: position.to_string(), behind }))
}
