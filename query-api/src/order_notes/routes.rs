//! `GET /api/orders/{id}/notes`.

use axum::Json;
use axum::extract::{Path, State};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery};
use souk_projections::order_notes::OrderNoteRow;
use souk_projections::orders::OrderRow;
use utoipa_axum::routes;

use super::response::OrderNoteResponse;
use crate::database::{QueryState, database_problem, parse_document};
use crate::list::{PageQuery, PageRequest};
use crate::pages::{Page, Size, one_more};
use crate::people::keys_of;
use crate::positions::ReadYourWrites;
use crate::responses::ListOf;

/// Read models of the order that the notes belong to.
const ORDER_MODELS: &[&str] = &["orders"];
/// Read models of notes.
const MODELS: &[&str] = &["order_notes"];
/// Number that is lower than the number of each note: the list begins after it.
const BEFORE_EVERY_NOTE: i64 = -1;

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Lists the notes on an order, oldest first. For admins.
///
/// After the erasure of the buyer, the text of each note is null.
#[utoipa::path(
    get, path = "/api/orders/{id}/notes", tag = "orders",
    params(("id" = String, Path, format = "uuid"), PageQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<OrderNoteResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(id): Path<String>,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<ListOf<OrderNoteResponse>>, Problem> {
    let request = PageRequest::new(query.limit, query.cursor)?;
    let list = format!("order-notes:{id}");
    let after = request.after::<i64>(&list)?.unwrap_or(BEFORE_EVERY_NOTE);
    let at = state.positions.wait_for_one(headers, ORDER_MODELS, &id).await?;
    let mut connection = state.readers.connection_for(&caller).await?;
    let mut transaction = connection.begin().await?;
    let order = sqlx::query_scalar::<_, Vec<u8>>(include_str!("order.sql")).bind(&id);
    let order = order.fetch_optional(&mut *transaction).await.map_err(database_problem)?;
    let order = parse_document::<OrderRow>(&order.ok_or_else(|| at.not_found("order"))?)?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("list.sql"));
    let rows = statement.bind(&id).bind(after).bind(one_more(request.limit)).fetch(&mut *transaction);
    let page = Page::read(rows, request.limit, |(_, bytes)| Size::of_bytes(bytes.len())).await?;
    drop(transaction);
    drop(connection);
    let page = page.try_map(|(note, bytes)| Ok((note, parse_document::<OrderNoteRow>(&bytes)?)))?;
    let keys = keys_of(&state, page.items.iter().map(|(_, row)| row.text.person().clone())).await?;
    let behind = state.positions.count_behind(MODELS);
    let sort_key = |(_, row): &(String, OrderNoteRow)| row.number;
    let item = |(note, row)| Some(OrderNoteResponse::new(note, row, &order, &keys));
    Ok(page.respond(&list, at.position, behind, sort_key, item))
}
