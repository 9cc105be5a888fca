//! `GET /api/orders/{id}/notes`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::order_notes::OrderNoteRow;
use souk_projections::orders::OrderRow;
use utoipa_axum::routes;

use super::response::OrderNoteResponse;
use crate::database::{QueryState, document};
use crate::pages::{Page, Size, one_more};
use crate::people::keys_of;
use crate::positions::ReadYourWrites;
use crate::responses::ListOf;

/// Name of the list in its cursors.
const LIST: &str = "order-notes";
/// Read models of the order that the notes belong to.
const ORDER_MODELS: &[&str] = &["orders"];
/// Read models of notes.
const MODELS: &[&str] = &["order_notes"];
/// Number that is lower than the number of each note: the list begins after it.
const BEFORE_EVERY_NOTE: i64 = -1;

/// Documents of the order and of one of its notes. An order without notes has one row without a note.
type Row = (Vec<u8>, Option<String>, Option<Vec<u8>>);

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Query parameters of the list of notes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OrderNotesQuery {
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists the notes on an order, oldest first. For admins.
///
/// After the erasure of the buyer, the text of each note is null.
#[utoipa::path(
    get, path = "/api/orders/{id}/notes", tag = "orders",
    params(("id" = String, Path, format = "uuid"), OrderNotesQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<OrderNoteResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(id): Path<String>,
    StrictQuery(query): StrictQuery<OrderNotesQuery>,
) -> Result<Json<ListOf<OrderNoteResponse>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<i64>(LIST, query.cursor.as_deref())?;
    let at = state.positions.wait_for_one(headers, ORDER_MODELS, &id).await?;
    let statement = sqlx::query_as::<_, Row>(include_str!("list.sql"));
    let statement = statement.bind(&id).bind(cursor.unwrap_or(BEFORE_EVERY_NOTE)).bind(one_more(limit));
    let mut connection = state.readers.connection_for(&caller).await?;
    let size_of = |(_, _, note): &Row| Size::of_bytes(note.as_ref().map_or(0, Vec::len));
    let page = Page::read(statement.fetch(&mut *connection), limit, size_of).await?;
    drop(connection);
    let (order, _, _) = page.items.first().ok_or_else(|| at.not_found("order"))?;
    let order = document::<OrderRow>(order)?;
    let page = page.try_map(|(_, note, bytes)| {
        note.zip(bytes).map(|(note, bytes)| Ok((note, document::<OrderNoteRow>(&bytes)?))).transpose()
    })?;
    let next_cursor = page.next_cursor(|note| {
        paging::encode(LIST, &note.as_ref().map_or(BEFORE_EVERY_NOTE, |(_, row)| cursor_number(row)))
    });
    let notes: Vec<(String, OrderNoteRow)> = page.items.into_iter().flatten().collect();
    let keys = keys_of(&state, notes.iter().map(|(_, row)| row.text.person().clone())).await?;
    let items =
        notes.into_iter().map(|(note, row)| OrderNoteResponse::new(note, row, &order, &keys)).collect();
    let behind = state.positions.count_behind(MODELS);
    Ok(Json(ListOf { items, next_cursor, position: at.position.to_string(), behind }))
}

/// Returns the number of a note as the statement compares it.
fn cursor_number(row: &OrderNoteRow) -> i64 {
    i64::try_from(row.number).unwrap_or(i64::MAX)
}
