//! `GET /api/payments/provider/dead-letters`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::problem::ProblemBody;
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::payment_debts::PaymentDebtRow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::response::DeadLetterAnswer;
use crate::answers::ListOf;
use crate::database::{BEHIND_ALL, QueryState, document};
use crate::pages::{Page, one_more};
use crate::positions::ReadYourWrites;

/// The list as its cursors name it.
const LIST: &str = "dead-letters";
/// The read models of dead letters.
const MODELS: &[&str] = &["payment_debts"];

pub(crate) fn router() -> OpenApiRouter<QueryState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A query of a list of dead letters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeadLettersQuery {
    /// 1 to 100 items; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The cursor of the last page.
    cursor: Option<String>,
}

/// Lists refunds, and holds to be let go, that the provider refused, newest first. For admins.
///
/// Each waits until it is requeued or skipped.
#[utoipa::path(
    get, path = "/api/payments/provider/dead-letters", tag = "payments",
    params(DeadLettersQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<DeadLetterAnswer>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<DeadLettersQuery>,
) -> Result<Json<ListOf<DeadLetterAnswer>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(i64, String)>(LIST, query.cursor.as_deref())?;
    let (failed_at, key) = cursor.unwrap_or((i64::MAX, BEHIND_ALL.to_owned()));
    let position = state.positions.wait_for(headers).await?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("list.sql"));
    let statement = statement.bind(failed_at).bind(key).bind(one_more(limit));
    let mut read = state.readers.of(&caller).await?;
    let page = Page::read(statement.fetch(&mut *read), limit, |(_, bytes)| bytes.len()).await?;
    drop(read);
    let page = page.try_map(|(id, bytes)| Ok((id, document::<PaymentDebtRow>(&bytes)?)))?;
    let next_cursor = page.next_cursor(|(id, row)| {
        let failed_at = row.failure.as_ref().map_or(0, |failure| failure.at.as_microsecond());
        paging::encode(LIST, &(failed_at, id))
    });
    let items = page.items.into_iter().filter_map(|(id, row)| DeadLetterAnswer::new(id, row)).collect();
    let behind = state.positions.behind_in(MODELS);
    Ok(Json(ListOf { items, next_cursor, position: position.to_string(), behind }))
}
