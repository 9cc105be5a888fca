//! Products with their available units, read from the read models one by one or in pages.

use std::collections::HashMap;

use souk_http::{Caller, Problem};
use souk_projections::products::ProductRow;
use sqlx::SqliteConnection;

use super::response::Available;
use super::sort::MeasuredProducts;
use crate::database::{QueryState, database_problem, key_set, parse_document};
use crate::pages::{Page, Size};

/// Reads a page of products: first the ids and sizes with `statement`, then the products of the page, then
/// the available units of their SKUs.
pub(super) async fn read_page(
    state: &QueryState,
    caller: &Caller,
    statement: MeasuredProducts,
    limit: u32,
) -> Result<(Page<(String, ProductRow)>, Available), Problem> {
    let mut connection = state.readers.connection_for(caller).await?;
    let mut transaction = connection.begin().await?;
    let size_of = |(_, bytes): &(String, i64)| Size::measured(*bytes, 0);
    let page = Page::read(statement.fetch(&mut *transaction), limit, size_of).await?;
    let ids = key_set(page.items.iter().map(|(id, _)| id.as_str()));
    let products = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("get_several.sql")).bind(&ids);
    let products = products.fetch_all(&mut *transaction).await.map_err(database_problem)?;
    let available = read_available(&mut transaction, &ids).await?;
    drop(transaction);
    drop(connection);
    let mut products: HashMap<String, Vec<u8>> = products.into_iter().collect();
    let missing = || Problem::internal(&"a product of the page was not read");
    let page = page.try_map(|(id, _)| {
        let bytes = products.remove(&id).ok_or_else(missing)?;
        Ok((id, parse_document(&bytes)?))
    })?;
    Ok((page, available))
}

/// Reads one product with the available units of its SKUs; none if the caller is not allowed to see it.
pub(super) async fn find_product(
    state: &QueryState,
    caller: &Caller,
    id: &str,
    is_visible: impl FnOnce(&ProductRow) -> bool,
) -> Result<Option<(String, ProductRow, Available)>, Problem> {
    let mut connection = state.readers.connection_for(caller).await?;
    let mut transaction = connection.begin().await?;
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("get.sql")).bind(id);
    let found = statement.fetch_optional(&mut *transaction).await.map_err(database_problem)?;
    let Some((id, bytes)) = found else { return Ok(None) };
    let row = parse_document(&bytes)?;
    if !is_visible(&row) {
        return Ok(None);
    }
    let available = read_available(&mut transaction, &key_set([id.as_str()])).await?;
    Ok(Some((id, row, available)))
}

async fn read_available(transaction: &mut SqliteConnection, ids: &str) -> Result<Available, Problem> {
    let statement = sqlx::query_as::<_, (String, i64)>(include_str!("available.sql")).bind(ids);
    Ok(statement.fetch_all(transaction).await.map_err(database_problem)?.into_iter().collect())
}
