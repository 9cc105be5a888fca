//! Pages of lists: cut by the caller's limit and by the bytes of the documents, so that no page is expensive.
//!
//! The first item of a page is there whatever its size, so that a huge one comes alone and the cursor always moves.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use souk_http::Problem;

use crate::database::failed;

/// Bytes of the documents on a page, at most, unless the first alone has more.
pub(crate) const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Lines of the orders on a page, at most, unless the first alone has more: as many as the longest order has.
pub(crate) const PAGE_LINES_MAX: usize = souk_domain::limits::LINES_MAX;

/// A page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// True when more items follow.
    has_more: bool,
}

/// The rows to find in order to know whether another page follows: one more than the limit.
pub(crate) fn one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// A named maximum as statements take it.
pub(crate) fn to_sql(maximum: usize) -> i64 {
    i64::try_from(maximum).unwrap_or(i64::MAX)
}

impl<T> Page<T> {
    /// A page without items.
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), has_more: false }
    }

    /// Items that a statement has cut by bytes already, of as many as it found; the limit cuts the rest.
    pub(crate) fn of(mut items: Vec<T>, found: i64, limit: u32) -> Self {
        items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let has_more = usize::try_from(found).is_ok_and(|found| found > items.len());
        Self { items, has_more }
    }

    /// The rows of a statement while they fit; later ones are not read.
    pub(crate) async fn read(
        mut rows: BoxStream<'_, sqlx::Result<T>>,
        limit: u32,
        bytes_of: impl Fn(&T) -> usize,
    ) -> Result<Self, Problem> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut page = Self::empty();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            bytes += bytes_of(&row);
            if page.items.len() == limit || (bytes > PAGE_BYTES_MAX && !page.items.is_empty()) {
                page.has_more = true;
                break;
            }
            page.items.push(row);
        }
        Ok(page)
    }

    /// The same page of items made from these.
    pub(crate) fn try_map<U>(self, made: impl FnMut(T) -> Result<U, Problem>) -> Result<Page<U>, Problem> {
        let items = self.items.into_iter().map(made).collect::<Result<Vec<U>, Problem>>()?;
        Ok(Page { items, has_more: self.has_more })
    }

    /// The place behind the last item, as a cursor; none on the last page.
    pub(crate) fn next_cursor<C>(&self, cursor: impl FnOnce(&T) -> C) -> Option<C> {
        self.items.last().filter(|_| self.has_more).map(cursor)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    async fn read(sizes: &[usize], limit: u32) -> (usize, bool) {
        let rows = stream::iter(sizes.to_vec()).map(Ok).boxed();
        let page = Page::read(rows, limit, |bytes| *bytes).await.ok().unwrap();
        (page.items.len(), page.has_more)
    }

    #[tokio::test]
    async fn a_page_ends_at_its_limit_or_its_bytes_and_says_whether_more_follow() {
        for (sizes, limit, expected) in [
            (&[1, 1, 1][..], 3, (3, false)),
            (&[1, 1, 1], 2, (2, true)),
            (&[PAGE_BYTES_MAX, 1], 2, (1, true)),
            (&[1, PAGE_BYTES_MAX - 1], 2, (2, false)),
            (&[PAGE_BYTES_MAX + 1], 2, (1, false)),
            (&[PAGE_BYTES_MAX + 1, 1], 2, (1, true)),
            (&[], 2, (0, false)),
        ] {
            assert_eq!(read(sizes, limit).await, expected, "{sizes:?} with limit {limit}");
        }
    }
}
