//! `GET /api/inventory/stock`, `GET /api/inventory/stock/{sku}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_http::headers::ReadHeaders;
use souk_http::problem::ProblemBody;
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::stock::StockRow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::response::StockAnswer;
use crate::answers::{ListOf, Single};
use crate::database::{BEHIND_ALL, QueryState, document, failed};
use crate::pages::{Page, one_more};
use crate::positions::ReadYourWrites;

/// The list as its cursors name it.
const LIST: &str = "stock";
/// What stock is read from.
const MODELS: &[&str] = &["stock", "variants"];

pub(crate) fn router() -> OpenApiRouter<QueryState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// What a list of stock can be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StockQuery {
    /// 1 to 100 items; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the last page ended.
    cursor: Option<String>,
}

/// Lists stock.
///
/// SKUs that were first counted last come first. For admins and services.
#[utoipa::path(
    get, path = "/api/inventory/stock", tag = "inventory",
    params(StockQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<StockAnswer>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<StockQuery>,
) -> Result<Json<ListOf<StockAnswer>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(i64, String)>(LIST, query.cursor.as_deref())?;
    let (created_at, key) = cursor.unwrap_or((i64::MAX, BEHIND_ALL.to_owned()));
    let position = state.positions.wait_for(headers).await?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("list.sql"));
    let statement = statement.bind(created_at).bind(key).bind(one_more(limit));
    let mut read = state.readers.of(&caller).await?;
    let page = Page::read(statement.fetch(&mut *read), limit, |(_, bytes)| bytes.len()).await?;
    drop(read);
    let page = page.try_map(|(sku, bytes)| Ok((sku, document::<StockRow>(&bytes)?)))?;
    let next_cursor =
        page.next_cursor(|(sku, row)| paging::encode(LIST, &(row.created_at.as_microsecond(), sku)));
    let items = page.items.into_iter().map(|(sku, row)| StockAnswer::new(sku, Some(&row), position));
    let behind = state.positions.behind_in(MODELS);
    Ok(Json(ListOf { items: items.collect(), next_cursor, position: position.to_string(), behind }))
}

/// Shows the stock of a SKU.
///
/// A SKU that is known and was never counted reads as zeros, without an `ETag`.
#[utoipa::path(
    get, path = "/api/inventory/stock/{sku}", tag = "inventory",
    params(("sku" = String, Path, example = "85123A"), ReadYourWrites),
    responses((status = 200, body = StockAnswer, headers(("ETag" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(sku): Path<String>,
) -> Result<Single<StockAnswer>, Problem> {
    let sku = sku.trim().to_owned();
    let at = state.positions.wait_for_one(headers, MODELS, &sku).await?;
    let statement = sqlx::query_as::<_, (Option<Vec<u8>>, Option<String>)>(include_str!("get.sql"));
    let statement = statement.bind(&sku);
    let (stock, product) =
        statement.fetch_one(&mut *state.readers.of(&caller).await?).await.map_err(failed)?;
    if stock.is_none() && product.is_none() {
        return Err(at.not_found("SKU"));
    }
    let row = stock.map(|bytes| document::<StockRow>(&bytes)).transpose()?;
    let body = StockAnswer::new(sku, row.as_ref(), at.position);
    Ok(Single { revision: row.map(|row| row.revision), behind: at.behind, body })
}
