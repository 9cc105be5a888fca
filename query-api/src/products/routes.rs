//! `GET /api/products`, `GET /api/products/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use souk_domain::folding::{category_path, folded, searched};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery, paging};
use souk_projections::products::ProductRow;
use souk_projections::sort_key::sort_key;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::response::{Available, ProductResponse};
use super::statements;
use crate::database::{AFTER_EVERY_TEXT, QueryState, currency, document, failed};
use crate::pages::{PAGE_BYTES_MAX, Page, one_more, to_sql};
use crate::positions::{ReadAt, ReadYourWrites};
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
    #[param(example = "home")]
    category: Option<String>,
    /// Minimum price of a variant, in minor units of `currency`. It must not be higher than `maxPrice`.
    #[serde(default, deserialize_with = "minor_units")]
    #[param(minimum = 0)]
    min_price: Option<i64>,
    /// Maximum price of a variant, in minor units of `currency`.
    #[serde(default, deserialize_with = "minor_units")]
    #[param(minimum = 0)]
    max_price: Option<i64>,
    /// Currency for `minPrice`, `maxPrice` and for sorting by price. The default is the shop's currency. If
    /// the list is filtered or sorted by price, products with prices in another currency are left out.
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
    #[param(max_length = 200)]
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

/// Sort order of the list of products.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
enum Sort {
    #[serde(rename = "newest")]
    #[default]
    Newest,
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    #[serde(rename = "price")]
    Price,
    #[serde(rename = "-price")]
    PriceDescending,
}

/// Start of a page: it begins after this sort value and key.
enum PageStart {
    Number(i64, String),
    Text(String, String),
}

impl Sort {
    fn sql(self) -> &'static str {
        match self {
            Self::Newest => statements::NEWEST,
            Self::Name => statements::NAME,
            Self::NameDescending => statements::NAME_DESCENDING,
            Self::Price => statements::PRICE,
            Self::PriceDescending => statements::PRICE_DESCENDING,
        }
    }

    /// Returns the name of the list in its cursors.
    fn list(self, currency: &str) -> String {
        match self {
            Self::Newest => "products".to_owned(),
            Self::Name => "products:name".to_owned(),
            Self::NameDescending => "products:-name".to_owned(),
            Self::Price => format!("products:price:{currency}"),
            Self::PriceDescending => format!("products:-price:{currency}"),
        }
    }

    fn is_by_price(self) -> bool {
        matches!(self, Self::Price | Self::PriceDescending)
    }

    fn page_start(self, currency: &str, cursor: Option<&str>) -> Result<PageStart, Problem> {
        let list = &self.list(currency);
        match self {
            Self::Newest | Self::PriceDescending => number(list, cursor, (i64::MAX, AFTER_EVERY_TEXT)),
            Self::Price => number(list, cursor, (i64::MIN, "")),
            Self::Name => text(list, cursor, ("", "")),
            Self::NameDescending => text(list, cursor, (AFTER_EVERY_TEXT, AFTER_EVERY_TEXT)),
        }
    }

    fn cursor(self, currency: &str, id: &str, row: &ProductRow) -> String {
        let cheapest = || row.content.variants.iter().map(|variant| variant.price.amount).min();
        let list = &self.list(currency);
        match self {
            Self::Newest => paging::encode(list, &(row.created_at.as_microsecond(), id)),
            Self::Price | Self::PriceDescending => paging::encode(list, &(cheapest().unwrap_or(0), id)),
            Self::Name | Self::NameDescending => paging::encode(list, &(sort_key(&row.content.name), id)),
        }
    }
}

fn number(list: &str, cursor: Option<&str>, start: (i64, &str)) -> Result<PageStart, Problem> {
    let (value, key) = paging::decode(list, cursor)?.unwrap_or((start.0, start.1.to_owned()));
    Ok(PageStart::Number(value, key))
}

fn text(list: &str, cursor: Option<&str>, start: (&str, &str)) -> Result<PageStart, Problem> {
    let (value, key) = paging::decode(list, cursor)?.unwrap_or((start.0.to_owned(), start.1.to_owned()));
    Ok(PageStart::Text(value, key))
}

/// Row of a statement: a product with its document and the number of products found, or a SKU with its
/// available units.
type Row = (String, Option<Vec<u8>>, Option<String>, Option<i64>, Option<i64>);

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
    let limit = paging::limit(query.limit)?;
    let sort = query.sort.unwrap_or_default();
    let currency = currency(&state, query.currency.as_deref())?;
    let compares_prices = sort.is_by_price() || query.min_price.is_some() || query.max_price.is_some();
    if query.min_price.zip(query.max_price).is_some_and(|(min, max)| min > max) {
        return Err(Problem::parameter("minPrice", "a price that is not higher than `maxPrice` is allowed"));
    }
    let page_start = sort.page_start(currency, query.cursor.as_deref())?;
    let pattern = query.q.as_deref().map(pattern).transpose()?.flatten();
    let position = state.positions.wait_for(headers).await?;
    let behind = state.positions.count_behind(MODELS);
    let visible = if caller.is_admin() { query.active } else { Some(true) };
    if visible != query.active.or(visible) {
        return Ok(Json(ListOf {
            items: Vec::new(),
            next_cursor: None,
            position: position.to_string(),
            behind,
        }));
    }
    let statement = sqlx::query_as::<_, Row>(sort.sql());
    let statement = match page_start {
        PageStart::Number(value, key) => statement.bind(value).bind(key),
        PageStart::Text(value, key) => statement.bind(value).bind(key),
    };
    let rows = statement
        .bind(one_more(limit))
        .bind(visible.map(i64::from))
        .bind(
            query.category.map(|category| folded(&category_path(&category))).filter(|path| !path.is_empty()),
        )
        .bind(pattern)
        .bind(query.min_price)
        .bind(query.max_price)
        .bind(query.in_stock.map(i64::from))
        .bind(to_sql(PAGE_BYTES_MAX))
        .bind(compares_prices.then_some(currency))
        .fetch_all(&mut *state.readers.connection_for(&caller).await?)
        .await
        .map_err(failed)?;
    let found = rows.first().and_then(|row| row.4).unwrap_or_default();
    let (products, available) = group_rows(rows)?;
    let page = Page::of(products, found, limit);
    let next_cursor = page.next_cursor(|(id, row)| sort.cursor(currency, id, row));
    let items = page.items.into_iter().map(|(id, row)| ProductResponse::new(id, row, &available, position));
    Ok(Json(ListOf { items: items.collect(), next_cursor, position: position.to_string(), behind }))
}

/// Returns a `LIKE` pattern that finds the text anywhere; none if the text has only spaces.
fn pattern(q: &str) -> Result<Option<String>, Problem> {
    if q.chars().count() > Q_CHARS_MAX {
        return Err(Problem::parameter("q", format!("at most {Q_CHARS_MAX} characters are allowed")));
    }
    let text = searched(q);
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

fn group_rows(rows: Vec<Row>) -> Result<(Vec<(String, ProductRow)>, Available), Problem> {
    let mut products = Vec::new();
    let mut available = Available::new();
    for (id, product, sku, units, _) in rows {
        if let Some(product) = product {
            products.push((id, document(&product)?));
        } else if let (Some(sku), Some(units)) = (sku, units) {
            available.insert(sku, units);
        }
    }
    Ok((products, available))
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
    let (mut products, available) = find_product(&state, &caller, &id).await?;
    let found = products.pop().filter(|(_, row)| row.content.active || caller.is_admin());
    let (id, row) = found.ok_or_else(|| at.not_found("product"))?;
    let skus = row.content.variants.iter().map(|variant| variant.sku.as_str());
    let at = state.positions.include_joined(at, &["variants", "stock"], skus);
    Ok(answer(id, row, &available, at))
}

async fn find_product(
    state: &QueryState,
    caller: &Caller,
    id: &str,
) -> Result<(Vec<(String, ProductRow)>, Available), Problem> {
    let statement = sqlx::query_as::<_, Row>(include_str!("get.sql")).bind(id);
    group_rows(statement.fetch_all(&mut *state.readers.connection_for(caller).await?).await.map_err(failed)?)
}

fn answer(id: String, row: ProductRow, available: &Available, at: ReadAt) -> Single<ProductResponse> {
    let body = ProductResponse::new(id, row, available, at.position);
    Single { revision: Some(body.revision), parked_since: at.parked_since, body }
}
