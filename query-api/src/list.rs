//! Lists: the steps that all list endpoints share.
//!
//! A list endpoint checks limit and cursor ([`PageRequest`]), waits for the position that the request names,
//! reads one page ([`Page`]) and makes the response ([`Page::respond`]).

use axum::Json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use souk_eventsourcing::Position;
use souk_http::{Problem, paging};

use crate::pages::Page;
use crate::responses::ListOf;

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
