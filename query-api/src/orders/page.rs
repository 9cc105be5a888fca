//! Orders with their lines, read from the read models one by one or in pages.

use std::collections::HashMap;

use souk_eventsourcing::Position;
use souk_http::closed_texts::PaymentStatusShape;
use souk_http::{Caller, Problem};
use souk_projections::order_lines::OrderLineRow;
use souk_projections::orders::OrderRow;

use super::response::OrderResponse;
use super::statements;
use crate::database::{AFTER_EVERY_TEXT, QueryState, document, failed, text_of};
use crate::pages::{PAGE_BYTES_MAX, PAGE_LINES_MAX, Page, one_more, to_sql};
use crate::people::OrderKeys;

/// Row of a statement, for an order or for one of its lines. Both have the order's id. An order has its
/// document, the status of its payment, the owed amount in minor units, and the number of orders found. A
/// line has its document, and 1 if its units are held.
pub(super) type Row =
    (String, Option<Vec<u8>>, Option<String>, Option<i64>, Option<Vec<u8>>, Option<i64>, Option<i64>);

/// Order with its lines, as the statements find it.
pub(crate) struct OrderWithLines {
    pub(super) id: String,
    pub(super) row: OrderRow,
    payment: Option<(PaymentStatusShape, i64)>,
    lines: Vec<(OrderLineRow, bool)>,
}

impl OrderWithLines {
    pub(crate) fn answer(self, keys: &OrderKeys, position: Position) -> OrderResponse {
        OrderResponse::new(self.id, self.row, self.payment, self.lines, keys, position)
    }

    pub(crate) fn row(&self) -> &OrderRow {
        &self.row
    }

    /// Returns the key by which lists sort the order.
    pub(crate) fn sort_key(&self) -> OrderSortKey {
        (self.row.placed_at.as_microsecond(), self.id.clone())
    }
}

/// Key by which lists of orders are sorted: time of placing in microseconds, and order id.
pub(crate) type OrderSortKey = (i64, String);

/// Returns the start of the first page: a sort key that comes before all orders, newest first.
pub(crate) fn newest_page_start() -> OrderSortKey {
    (i64::MAX, AFTER_EVERY_TEXT.to_owned())
}

/// Request for one page of a list of orders.
pub(crate) struct OrderPageRequest {
    /// Customer whose orders are listed; none for the orders of all customers and guests.
    pub(crate) customer: Option<String>,
    pub(crate) status: Option<&'static str>,
    /// True to list only orders that lack an address. Status and customer are then ignored.
    pub(crate) is_unaddressed: bool,
    /// Earliest time of placing, in microseconds.
    pub(crate) from: i64,
    /// Sort key after which the page starts.
    pub(crate) page_start: OrderSortKey,
    pub(crate) limit: u32,
}

impl OrderPageRequest {
    /// Reads the page, newest first, with one statement.
    pub(crate) async fn page(
        self,
        state: &QueryState,
        caller: &Caller,
    ) -> Result<Page<OrderWithLines>, Problem> {
        let sql = match (&self.customer, self.status) {
            _ if self.is_unaddressed => statements::LIST_WITHOUT_ADDRESS,
            (Some(_), _) => statements::LIST_OF_CUSTOMER,
            (None, Some(_)) => statements::LIST_OF_STATUS,
            (None, None) => statements::LIST,
        };
        let statement = sqlx::query_as::<_, Row>(sql)
            .bind(self.page_start.0)
            .bind(self.page_start.1)
            .bind(one_more(self.limit))
            .bind(self.from)
            .bind(to_sql(PAGE_BYTES_MAX))
            .bind(to_sql(PAGE_LINES_MAX));
        let statement = match (self.customer, self.status) {
            _ if self.is_unaddressed => statement,
            (Some(customer), status) => statement.bind(customer).bind(status),
            (None, Some(status)) => statement.bind(status),
            (None, None) => statement,
        };
        let rows =
            statement.fetch_all(&mut *state.readers.connection_for(caller).await?).await.map_err(failed)?;
        let found = rows.first().and_then(|row| row.5).unwrap_or_default();
        Ok(Page::of(group_rows(rows)?, found, self.limit))
    }
}

/// Adds the lines to their orders.
pub(super) fn group_rows(rows: Vec<Row>) -> Result<Vec<OrderWithLines>, Problem> {
    let mut orders: Vec<OrderWithLines> = Vec::new();
    let mut indexes = HashMap::new();
    for (id, order, status, owed, line, _, is_held) in rows {
        if let Some(bytes) = order {
            indexes.insert(id.clone(), orders.len());
            let status = status.map(|status| text_of("payment status", status)).transpose()?;
            let payment = status.map(|status| (status, owed.unwrap_or_default()));
            orders.push(OrderWithLines { id, row: document(&bytes)?, payment, lines: Vec::new() });
        } else if let (Some(line), Some(index)) = (line, indexes.get(&id)) {
            orders[*index].lines.push((document(&line)?, is_held == Some(1)));
        }
    }
    Ok(orders)
}
