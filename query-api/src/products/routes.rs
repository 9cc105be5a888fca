//! Product pages and lists. Anonymous and customers see active products only.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use souk_web::headers::ReadHeaders;
use souk_web::paging;
use souk_web::problem::ProblemBody;
use souk_web::{Caller, Problem, StrictQuery};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::database::{QueryState, document, failed};

use super::response::{ProductPage, ProductResponse};

/// What a list is asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// A category and those below it.
    category: Option<String>,
    /// The cheapest variant costs at least this, in minor units.
    min_price: Option<i64>,
    /// The cheapest variant costs at most this, in minor units.
    max_price: Option<i64>,
    /// Whether something can be bought of it.
    in_stock: Option<bool>,
    /// Whether customers see it; for admins.
    active: Option<bool>,
    /// Words of its name, or of a SKU.
    q: Option<String>,
    /// The order.
    #[param(inline)]
    sort: Option<Sort>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// Where the page begins.
    cursor: Option<String>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Sort {
    /// By name.
    #[serde(rename = "name")]
    Name,
    /// By name, backwards.
    #[serde(rename = "-name")]
    NameBackwards,
    /// The cheapest first.
    #[serde(rename = "price")]
    Price,
    /// The dearest first.
    #[serde(rename = "-price")]
    PriceBackwards,
    /// The newest first.
    #[default]
    #[serde(rename = "newest")]
    Newest,
}

impl Sort {
    fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Name => ("products:name", include_str!("list_name.sql")),
            Self::NameBackwards => ("products:-name", include_str!("list_name_desc.sql")),
            Self::Price => ("products:price", include_str!("list_price.sql")),
            Self::PriceBackwards => ("products:-price", include_str!("list_price_desc.sql")),
            Self::Newest => ("products:newest", include_str!("list_newest.sql")),
        }
    }
}

/// The value that a list is sorted by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum SortKey {
    Number(i64),
    Text(String),
}

type ProductJoin = (String, Vec<u8>, Option<String>, Option<i64>);

/// A product.
#[utoipa::path(get, path = "/api/products/{id}", tag = "products", params(("id" = Uuid, Path)),
    responses((status = 200, body = ProductResponse), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn show(
    State(state): State<QueryState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: ReadHeaders,
) -> Result<Response, Problem> {
    let position = state.positions.wait(&headers).await?.to_string();
    let rows: Vec<ProductJoin> = sqlx::query_as(include_str!("show.sql"))
        .bind(&id)
        .bind(caller.is_admin())
        .fetch_all(&state.pool)
        .await
        .map_err(failed)?;
    let Some((id, doc, ..)) = rows.first().cloned() else {
        return Err(Problem::new("not-found", "there is no such product"));
    };
    let available = rows.into_iter().filter_map(|(_, _, sku, available)| Some((sku?, available?))).collect();
    let product = ProductResponse::new(&id, document(&doc)?, &available, &position);
    let etag = format!("\"{}\"", product.revision);
    Ok(([(header::ETAG, etag)], Json(product)).into_response())
}

/// Products.
#[utoipa::path(get, path = "/api/products", tag = "products", params(ListQuery),
    responses((status = 200, body = ProductPage), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<ListQuery>,
) -> Result<Json<ProductPage>, Problem> {
    let position = state.positions.wait(&headers).await?.to_string();
    let limit = paging::limit(query.limit)?;
    let (list, sql) = query.sort.unwrap_or_default().sql();
    let after: Option<(SortKey, String)> = paging::decode(list, query.cursor.as_deref())?;
    let active = if caller.is_admin() { query.active } else { Some(true) };
    let search = query.q.map(|words| words.trim().to_lowercase()).filter(|words| !words.is_empty());
    let asked = sqlx::query_as::<_, (String, Vec<u8>, SortColumn, Option<String>, Option<i64>)>(sql)
        .bind(active)
        .bind(query.category.map(|category| category.trim_matches('/').to_owned()))
        .bind(query.min_price)
        .bind(query.max_price)
        .bind(search)
        .bind(query.in_stock);
    let asked = match &after {
        None => asked.bind(None::<i64>).bind(None::<String>),
        Some((SortKey::Number(number), key)) => asked.bind(*number).bind(key.clone()),
        Some((SortKey::Text(text), key)) => asked.bind(text.clone()).bind(key.clone()),
    };
    let rows = asked.bind(i64::from(limit) + 1).fetch_all(&state.pool).await.map_err(failed)?;
    let mut products: Vec<(String, Vec<u8>, SortKey, BTreeMap<String, i64>)> = Vec::new();
    for (id, doc, sort, sku, available) in rows {
        if products.last().is_none_or(|(last, ..)| *last != id) {
            products.push((id, doc, sort.0, BTreeMap::new()));
        }
        if let (Some((.., units)), Some(sku), Some(available)) = (products.last_mut(), sku, available) {
            units.insert(sku, available);
        }
    }
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = products.len() > page;
    products.truncate(page);
    let last = products.last().filter(|_| more);
    let next_cursor = last.map(|(id, _, sort, _)| paging::encode(list, &(sort, id)));
    let items = products.into_iter().map(|(id, doc, _, available)| {
        Ok(ProductResponse::new(&id, document(&doc)?, &available, &position))
    });
    Ok(Json(ProductPage { items: items.collect::<Result<_, Problem>>()?, next_cursor, position }))
}

/// A sort column of either type.
struct SortColumn(SortKey);

impl<'r> sqlx::Decode<'r, sqlx::Sqlite> for SortColumn {
    fn decode(value: sqlx::sqlite::SqliteValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        use sqlx::{TypeInfo, ValueRef};
        let is_text = value.type_info().name() == "TEXT";
        Ok(Self(if is_text {
            SortKey::Text(<String as sqlx::Decode<sqlx::Sqlite>>::decode(value)?)
        } else {
            SortKey::Number(<i64 as sqlx::Decode<sqlx::Sqlite>>::decode(value)?)
        }))
    }
}

impl sqlx::Type<sqlx::Sqlite> for SortColumn {
    fn type_info() -> sqlx::sqlite::SqliteTypeInfo {
        <i64 as sqlx::Type<sqlx::Sqlite>>::type_info()
    }

    fn compatible(_: &sqlx::sqlite::SqliteTypeInfo) -> bool {
        true
    }
}
