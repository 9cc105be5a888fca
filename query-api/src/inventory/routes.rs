//! `GET /api/inventory/stock`, `GET /api/inventory/stock/{sku}`.

use axum::Json;
use axum::extract::{Path, State};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery};
use souk_projections::stock::StockRow;
use utoipa_axum::routes;

use super::response::StockResponse;
use crate::database::{QueryState, database_problem, parse_document};
use crate::list::{NewestFirst, PageQuery};
use crate::positions::ReadYourWrites;
use crate::responses::{ListOf, Single};

/// Read models of stock.
const MODELS: &[&str] = &["stock", "variants"];

/// List of stock, newest first.
const LIST: NewestFirst<StockRow, StockResponse> = NewestFirst {
    name: "stock",
    models: MODELS,
    statement: include_str!("list.sql"),
    time_us: |row| row.created_at.as_microsecond(),
    item: |sku, row, position| Some(StockResponse::new(sku, Some(&row), position)),
};

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Staff).route(routes!(get), Access::Anyone)
}

/// Lists stock. For admins and services.
///
/// The SKU that got its first stock entry last comes first.
#[utoipa::path(
    get, path = "/api/inventory/stock", tag = "inventory",
    params(PageQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<StockResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<ListOf<StockResponse>>, Problem> {
    LIST.respond(&state, &caller, headers, query).await
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
    let (stock, product) = statement
        .fetch_one(&mut *state.readers.connection_for(&caller).await?)
        .await
        .map_err(database_problem)?;
    if stock.is_none() && product.is_none() {
        return Err(at.not_found("SKU"));
    }
    let row = stock.map(|bytes| parse_document::<StockRow>(&bytes)).transpose()?;
    let body = StockResponse::new(sku, row.as_ref(), at.position);
    Ok(Single { revision: row.map(|row| row.revision), parked_since: at.parked_since, body })
}
