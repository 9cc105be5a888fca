//! `GET /api/admin/parked`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use souk_eventsourcing::Timestamp;
use souk_http::headers::ReadHeaders;
use souk_http::problem::ProblemBody;
use souk_http::{Caller, Problem, StrictQuery, paging};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::response::ParkedAnswer;
use crate::answers::ListOf;
use crate::database::{QueryState, text_of};
use crate::pages::{Page, one_more};
use crate::positions::ReadYourWrites;

/// The list as its cursors name it.
const LIST: &str = "parked";

pub(crate) fn router() -> OpenApiRouter<QueryState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What the list can be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ParkedQuery {
    /// 1 to 100 items; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the last page ended.
    cursor: Option<String>,
}

type Row = (String, String, String, String, i64, i64, String, i64, i64);

/// Lists what read models and processes can't bring further. For admins.
///
/// `POST /api/admin/parked/retry` tries an entity again, `POST /api/admin/parked/skip` passes its event over.
#[utoipa::path(
    get, path = "/api/admin/parked", tag = "operations",
    params(ParkedQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<ParkedAnswer>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<ParkedQuery>,
) -> Result<Json<ListOf<ParkedAnswer>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(String, String, String)>(LIST, query.cursor.as_deref())?;
    let (owner, kind, entity) = cursor.unwrap_or_default();
    let position = state.positions.wait_until_followed(headers).await?;
    let statement = sqlx::query_as::<_, Row>(include_str!("list.sql"));
    let statement = statement.bind(owner).bind(kind).bind(entity).bind(one_more(limit));
    let mut read = state.readers.of(&caller).await?;
    let texts = |row: &Row| row.2.len() + row.3.len() + row.6.len();
    let page = Page::read(statement.fetch(&mut *read), limit, texts).await?;
    drop(read);
    let next_cursor =
        page.next_cursor(|(owner, kind, entity, ..)| paging::encode(LIST, &(owner, kind, entity)));
    let answer = |(owner, kind, entity, stream, revision, position, error, since_us, events): Row| {
        let since = Timestamp::from_microsecond(since_us).unwrap_or_default().to_string();
        let position = position.to_string();
        let kind = text_of("kind of a parked entity", kind)?;
        Ok(ParkedAnswer { owner, kind, entity, stream, revision, position, error, events, since })
    };
    let items = page.items.into_iter().map(answer).collect::<Result<_, Problem>>()?;
    Ok(Json(ListOf { items, next_cursor, position: position.to_string(), behind: None }))
}
