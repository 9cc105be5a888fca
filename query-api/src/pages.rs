//! Pages of lists. A page ends at the caller's limit or at a maximum size, so that no page is expensive.
//!
//! A page always has its first item, even if that item alone exceeds the maximum size. So the cursor always
//! moves forward. A list of large documents, or of items with lines, first reads only ids and sizes. It reads
//! documents and lines after the page is cut, so that it never holds more of them than one page.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use souk_http::Problem;

use crate::database::database_problem;

/// Maximum size of all documents on a page together, in bytes. Only the first document can exceed it.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Maximum number of lines of all orders on a page together: as many as one order may have.
const PAGE_LINES_MAX: usize = souk_domain::limits::LINES_MAX;

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// True when more items follow.
    has_more: bool,
}

/// Returns the number of rows to select: one more than the limit, to know if another page follows.
pub(crate) fn one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// Room that an item takes on a page.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    bytes: usize,
    lines: usize,
}

impl Size {
    /// Size of an item without lines.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self { bytes, lines: 0 }
    }

    /// Size that a statement has measured.
    pub(crate) fn measured(bytes: i64, lines: i64) -> Self {
        let unsigned = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self { bytes: unsigned(bytes), lines: unsigned(lines) }
    }

    fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), lines: self.lines.saturating_add(other.lines) }
    }

    fn fits_on_a_page(self) -> bool {
        self.bytes <= PAGE_BYTES_MAX && self.lines <= PAGE_LINES_MAX
    }
}

impl<T> Page<T> {
    /// Returns a page without items.
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), has_more: false }
    }

    /// Reads rows of a statement until the page is full, and no further rows.
    pub(crate) async fn read(
        mut rows: BoxStream<'_, sqlx::Result<T>>,
        limit: u32,
        size_of: impl Fn(&T) -> Size,
    ) -> Result<Self, Problem> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut page = Self::empty();
        let mut size = Size::of_bytes(0);
        while let Some(row) = rows.try_next().await.map_err(database_problem)? {
            size = size.plus(size_of(&row));
            if page.items.len() == limit || (!size.fits_on_a_page() && !page.items.is_empty()) {
                page.has_more = true;
                break;
            }
            page.items.push(row);
        }
        Ok(page)
    }

    /// Converts each item of the page; fails if one conversion fails.
    pub(crate) fn try_map<U>(self, convert: impl FnMut(T) -> Result<U, Problem>) -> Result<Page<U>, Problem> {
        let items = self.items.into_iter().map(convert).collect::<Result<Vec<U>, Problem>>()?;
        Ok(Page { items, has_more: self.has_more })
    }

    /// Returns the cursor of the next page, made from the last item of this page; none on the last page.
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
        let page = Page::read(rows, limit, |bytes| Size::of_bytes(*bytes)).await.ok().unwrap();
        (page.items.len(), page.has_more)
    }

    #[tokio::test]
    async fn a_page_ends_at_its_limit_or_its_maximum_of_bytes_and_knows_if_more_items_follow() {
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
