//! Lists: the steps that all list endpoints share.
//!
//! A list endpoint checks limit and cursor ([`PageRequest`]), waits for the position that the request names,
//! reads one page ([`Page`]) and makes the response ([`Page::respond`]). A list of documents, newest first, is
//! a constant ([`NewestFirst`]). Its handler only calls [`NewestFirst::respond`].

use axum::Json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use souk_eventsourcing::Position;
use souk_http::headers::ReadHeaders;
use souk_http::{Caller, Problem, paging};

use crate::database::{AFTER_EVERY_TEXT, QueryState, parse_document};
use crate::pages::{Page, Size, one_more};
use crate::responses::ListOf;

/// Query parameters of a list without filters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Request for one page of a list, with a valid limit.
pub(crate) struct PageRequest {
    pub(crate) limit: u32,
    cursor: Option<String>,
}

impl PageRequest {
    /// Checks the limit. A list checks its filters next, and then the cursor.
    pub(crate) fn new(limit: Option<u32>, cursor: Option<String>) -> Result<Self, Problem> {
        Ok(Self { limit: paging::limit(limit)?, cursor })
    }

    /// Returns the sort key after which the page begins; none for the first page. `list` is the name of the
    /// list in its cursors.
    pub(crate) fn after<K: DeserializeOwned>(&self, list: &str) -> Result<Option<K>, Problem> {
        paging::decode(list, self.cursor.as_deref())
    }
}

impl<T> Page<T> {
    /// Makes the response. `list` is the name of the list in its cursors, and `sort_key` returns the sort key
    /// that a cursor contains. If `item` returns none, the item is left out of the response.
    pub(crate) fn respond<K: Serialize, I>(
        self,
        list: &str,
        position: Position,
        behind: Option<usize>,
        sort_key: impl FnOnce(&T) -> K,
        item: impl FnMut(T) -> Option<I>,
    ) -> Json<ListOf<I>> {
        let next_cursor = self.next_cursor(|last| paging::encode(list, &sort_key(last)));
        let items = self.items.into_iter().filter_map(item).collect();
        Json(ListOf { items, next_cursor, position: position.to_string(), behind })
    }
}

/// List of the JSON documents of one read model, newest first.
pub(crate) struct NewestFirst<R, I> {
    /// Name of the list in its cursors.
    pub(crate) name: &'static str,
    /// Read models whose parked entities the list lacks.
    pub(crate) models: &'static [&'static str],
    /// Statement that selects key and document. Its parameters are the time in microseconds and the key
    /// after which the page begins, and the number of rows.
    pub(crate) statement: &'static str,
    /// Time by which the list is sorted, in microseconds.
    pub(crate) time_us: fn(&R) -> i64,
    /// Converts a row to an item of the response; none to leave it out.
    pub(crate) item: fn(String, R, Position) -> Option<I>,
}

impl<R: DeserializeOwned, I> NewestFirst<R, I> {
    /// Reads the page and makes the response.
    pub(crate) async fn respond(
        &self,
        state: &QueryState,
        caller: &Caller,
        headers: ReadHeaders,
        query: PageQuery,
    ) -> Result<Json<ListOf<I>>, Problem> {
        let request = PageRequest::new(query.limit, query.cursor)?;
        let after = request.after::<(i64, String)>(self.name)?;
        let (time_us, key) = after.unwrap_or((i64::MAX, AFTER_EVERY_TEXT.to_owned()));
        let position = state.positions.wait_for(headers).await?;
        let statement = sqlx::query_as::<_, (String, Vec<u8>)>(self.statement);
        let statement = statement.bind(time_us).bind(key).bind(one_more(request.limit));
        let mut connection = state.readers.connection_for(caller).await?;
        let rows = statement.fetch(&mut *connection);
        let page = Page::read(rows, request.limit, |(_, bytes)| Size::of_bytes(bytes.len())).await?;
        drop(connection);
        let page = page.try_map(|(key, bytes)| Ok((key, parse_document::<R>(&bytes)?)))?;
        let behind = state.positions.count_behind(self.models);
        let sort_key = |(key, row): &(String, R)| ((self.time_us)(row), key.clone());
        Ok(page.respond(self.name, position, behind, sort_key, |(key, row)| (self.item)(key, row, position)))
    }
}
