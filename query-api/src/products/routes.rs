//! `GET /api/products`, `GET /api/products/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use souk_domain::folding::{category_path, comparison_form, search_form};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery};
use souk_projections::products::ProductRow;
use utoipa_axum::routes;

use super::page::{find_product, read_page};
use super::response::ProductResponse;
use super::sort::Sort;
use crate::database::{QueryState, currency};
use crate::list::PageRequest;
use crate::pages::{Page, one_more};
use crate::positions::ReadYourWrites;
use crate::responses::{ListOf, Single};

/// Maximum number of characters of the search text.
const Q_CHARS_MAX: usize = 200;
/// Read models of products.
const MODELS: &[&str] = &["products", "variants", "stock"];

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Anyone).route(routes!(get), Access::Anyone)
}

/// Query parameters of the list of products.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ProductsQuery {
    /// Category of the products. Subcategories are included. Upper and lower case, and spaces and slashes at
    /// the ends, do not matter.
    #[param(min_length = 1, example = "home")]
    category: Option<String>,
    /// Minimum price of a variant, in minor units of `currency`. It must not be higher than `maxPrice`.
    #[serde(default, deserialize_with = "minor_units")]
    #[param(minimum = 0)]
    min_price: Option<i64>,
    /// Maximum price of a variant, in minor units of `currency`.
    #[serde(default, deserialize_with = "minor_units")]
    #[param(minimum = 0)]
    max_price: Option<i64>,
    /// Currency of the prices. Products with prices in another currency are left out. If the list is filtered or
    /// sorted by price, the default is the shop's currency; otherwise products with all currencies are listed.
    #[param(pattern = "^[A-Z]{3}$", example = "GBP")]
    currency: Option<String>,
    /// True for products with a variant in stock, false for products without one. Only variants between
    /// `minPrice` and `maxPrice` count.
    in_stock: Option<bool>,
    /// True for products that customers can see, false for products that they can't see. Only admins can list
    /// the latter.
    active: Option<bool>,
    /// Part of the name or of a SKU, at most 200 characters. Upper and lower case and the Unicode form do not
    /// matter. Spaces at the ends are ignored, and several spaces count as one.
    #[param(min_length = 1, max_length = 200)]
    q: Option<String>,
    /// Order of the list. The default is `newest`.
    #[param(inline)]
    sort: Option<Sort>,
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Parses a price of the query.
fn minor_units<'de, D: Deserializer<'de>>(price: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(price)?;
    let price = text.parse::<i64>().ok().filter(|price| *price >= 0);
    let invalid = || {
        let allowed =
            "a whole number in minor units from 0 to 9223372036854775807 is allowed: 1250 for 12.50";
        D::Error::custom(allowed)
    };
    price.map(Some).ok_or_else(invalid)
}

/// Lists products.
///
/// Newest first unless sorted; by name in the order of Unicode's collation. Anonymous callers and customers
/// see active products only.
#[utoipa::path(
    get, path = "/api/products", tag = "products",
    params(ProductsQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<ProductResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<ProductsQuery>,
) -> Result<Json<ListOf<ProductResponse>>, Problem> {
    let request = PageRequest::new(query.limit, query.cursor)?;
    let sort = query.sort.unwrap_or_default();
    let currency = currency(&state, query.currency.as_deref())?;
    let compares_prices = sort.is_by_price() || query.min_price.is_some() || query.max_price.is_some();
    let is_of_one_currency = compares_prices || query.currency.is_some();
    if query.min_price.zip(query.max_price).is_some_and(|(min, max)| min > max) {
        return Err(Problem::parameter("minPrice", "a price that is not higher than `maxPrice` is allowed"));
    }
    let list = sort.list(currency);
    let page_start = sort.page_start(&request, &list)?;
    let pattern = query.q.as_deref().map(pattern).transpose()?.flatten();
    let position = state.positions.wait_for(headers).await?;
    let behind = state.positions.count_behind(MODELS);
    let sort_key = |(id, row): &(String, ProductRow)| sort.key(id, row);
    let visible = if caller.is_admin() { query.active } else { Some(true) };
    if visible != query.active.or(visible) {
        return Ok(Page::empty().respond(&list, position, behind, sort_key, |_| None));
    }
    let category = query.category.map(|category| comparison_form(&category_path(&category)));
    let statement = page_start
        .bind(sqlx::query_as(sort.sql()))
        .bind(one_more(request.limit))
        .bind(visible.map(i64::from))
        .bind(category.filter(|path| !path.is_empty()))
        .bind(pattern)
        .bind(query.min_price)
        .bind(query.max_price)
        .bind(query.in_stock.map(i64::from))
        .bind(is_of_one_currency.then_some(currency));
    let (page, available) = read_page(&state, &caller, statement, request.limit).await?;
    let item = |(id, row)| Some(ProductResponse::new(id, row, &available, position));
    Ok(page.respond(&list, position, behind, sort_key, item))
}

/// Returns a `LIKE` pattern that finds the text anywhere; none if the text has only spaces.
fn pattern(q: &str) -> Result<Option<String>, Problem> {
    if q.chars().count() > Q_CHARS_MAX {
        return Err(Problem::parameter("q", format!("at most {Q_CHARS_MAX} characters are allowed")));
    }
    let text = search_form(q);
    if text.is_empty() {
        return Ok(None);
    }
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    Ok(Some(pattern))
}

/// Shows a product.
#[utoipa::path(
    get, path = "/api/products/{id}", tag = "products",
    params(("id" = String, Path, format = "uuid"), ReadYourWrites),
    responses((status = 200, body = ProductResponse, headers(("ETag" = String))))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(id): Path<String>,
) -> Result<Single<ProductResponse>, Problem> {
    let at = state.positions.wait_for_one(headers, MODELS, &id).await?;
    let is_visible = |row: &ProductRow| row.content.active || caller.is_admin();
    let found = find_product(&state, &caller, &id, is_visible).await?;
    let (id, row, available) = found.ok_or_else(|| at.not_found("product"))?;
    let skus = row.content.variants.iter().map(|variant| variant.sku.as_str());
    let at = state.positions.include_joined(at, &["variants", "stock"], skus);
    let body = ProductResponse::new(id, row, &available, at.position);
    Ok(Single { revision: Some(body.revision), parked_since: at.parked_since, body })
}
