//! `GET /api/inventory/stock`, `GET /api/inventory/stock/{sku}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::stock::StockRow;
use utoipa_axum::routes;

use super::response::StockResponse;
use crate::database::{AFTER_EVERY_TEXT, QueryState, document, failed};
use crate::pages::{Page, Size, one_more};
use crate::positions::ReadYourWrites;
use crate::responses::{ListOf, Single};

/// Name of the list in its cursors.
const LIST: &str = "stock";
/// Read models of stock.
const MODELS: &[&str] = &["stock", "variants"];

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Staff).route(routes!(get), Access::Anyone)
}

/// Query parameters of the list of stock.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StockQuery {
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists stock. For admins and services.
///
/// The SKU that got its first stock entry last comes first.
#[utoipa::path(
    get, path = "/api/inventory/stock", tag = "inventory",
    params(StockQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<StockResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<StockQuery>,
) -> Result<Json<ListOf<StockResponse>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(i64, String)>(LIST, query.cursor.as_deref())?;
    let (created_at, key) = cursor.unwrap_or((i64::MAX, AFTER_EVERY_TEXT.to_owned()));
    let position = state.positions.wait_for(headers).await?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("list.sql"));
    let statement = statement.bind(created_at).bind(key).bind(one_more(limit));
    let mut connection = state.readers.connection_for(&caller).await?;
    let page = Page::read(statement.fetch(&mut *connection), limit, |(_, bytes)| Size::of_bytes(bytes.len())).await?;
    drop(connection);
    let page = page.try_map(|(sku, bytes)| Ok((sku, document::<StockRow>(&bytes)?)))?;
    let next_cursor =
        page.next_cursor(|(sku, row)| paging::encode(LIST, &(row.created_at.as_microsecond(), sku)));
    let items = page.items.into_iter().map(|(sku, row)| StockResponse::new(sku, Some(&row), position));
    let behind = state.positions.count_behind(MODELS);
    Ok(Json(ListOf { items: items.collect(), next_cursor, position: position.to_string(), behind }))
}

/// Shows the stock of a SKU.
///
/// A SKU of a product that has no stock entry is shown with zeros and without an `ETag`.
#[utoipa::path(
    get, path = "/api/inventory/stock/{sku}", tag = "inventory",
    params(("sku" = String, Path, example = "85123A"), ReadYourWrites),
    responses((status = 200, body = StockResponse, headers(("ETag" = String))))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(sku): Path<String>,
) -> Result<Single<StockResponse>, Problem> {
    let sku = sku.trim().to_owned();
    let at = state.positions.wait_for_one(headers, MODELS, &sku).await?;
    let statement = sqlx::query_as::<_, (Option<Vec<u8>>, Option<String>)>(include_str!("get.sql"));
    let statement = statement.bind(&sku);
    let (stock, product) =
        statement.fetch_one(&mut *state.readers.connection_for(&caller).await?).await.map_err(failed)?;
    if stock.is_none() && product.is_none() {
        return Err(at.not_found("SKU"));
    }
    let row = stock.map(|bytes| document::<StockRow>(&bytes)).transpose()?;
    let body = StockResponse::new(sku, row.as_ref(), at.position);
    Ok(Single { revision: row.map(|row| row.revision), parked_since: at.parked_since, body })
}
