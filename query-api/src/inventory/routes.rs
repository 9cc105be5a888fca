//! Stock: a SKU's is public, the list is for admins and other systems.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use souk_web::headers::ReadHeaders;
use souk_web::paging;
use souk_web::problem::ProblemBody;
use souk_web::{Caller, Problem, Role, StrictQuery};
use utoipa::IntoParams;

use crate::database::{QueryState, document, failed};

use super::response::{StockPage, StockResponse};

/// What a list is asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// Where the page begins.
    cursor: Option<String>,
}

/// The stock of a SKU.
#[utoipa::path(get, path = "/api/inventory/stock/{sku}", tag = "inventory", params(("sku" = String, Path)),
    responses((status = 200, body = StockResponse), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn show(
    State(state): State<QueryState>,
    Path(sku): Path<String>,
    headers: ReadHeaders,
) -> Result<Response, Problem> {
    let position = state.positions.wait(&headers).await?.to_string();
    let row: Option<(String, Option<Vec<u8>>)> = sqlx::query_as(include_str!("show.sql"))
        .bind(sku.trim())
        .fetch_optional(&state.pool)
        .await
        .map_err(failed)?;
    let (sku, doc) = row.ok_or_else(|| Problem::new("not-found", "there is no such SKU"))?;
    let row = doc.map(|doc| document(&doc)).transpose()?;
    let stock = StockResponse::new(sku, row, &position);
    let etag = stock.revision.map(|revision| [(header::ETAG, format!("\"{revision}\""))]);
    Ok((etag.into_iter().next().unwrap_or([(header::ETAG, "\"none\"".to_owned())]), Json(stock)).into_response())
}

/// All stock, by SKU.
#[utoipa::path(get, path = "/api/inventory/stock", tag = "inventory", params(ListQuery), security(("token" = [])),
    responses((status = 200, body = StockPage), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<ListQuery>,
) -> Result<Json<StockPage>, Problem> {
    caller.require(&[Role::Admin, Role::Service])?;
    let position = state.positions.wait(&headers).await?.to_string();
    let limit = paging::limit(query.limit)?;
    let after: Option<String> = paging::decode("stock", query.cursor.as_deref())?;
    let mut rows: Vec<(String, Vec<u8>)> = sqlx::query_as(include_str!("list.sql"))
        .bind(after)
        .bind(i64::from(limit) + 1)
        .fetch_all(&state.pool)
        .await
        .map_err(failed)?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let next_cursor = rows.last().filter(|_| more).map(|(sku, _)| paging::encode("stock", sku));
    let items = rows.into_iter().map(|(sku, doc)| Ok(StockResponse::new(sku, Some(document(&doc)?), &position)));
    Ok(Json(StockPage { items: items.collect::<Result<_, Problem>>()?, next_cursor, position }))
}
