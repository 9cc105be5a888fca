//! Orders as the statements find them, and pages of them.

use std::collections::HashMap;

use souk_eventsourcing::Position;
use souk_http::closed_texts::PaymentStatusShape;
use souk_http::{Caller, Problem};
use souk_projections::order_lines::OrderLineRow;
use souk_projections::orders::OrderRow;

use super::response::OrderAnswer;
use super::statements;
use crate::database::{BEHIND_ALL, QueryState, document, failed, text_of};
use crate::pages::{PAGE_BYTES_MAX, PAGE_LINES_MAX, Page, one_more, to_sql};
use crate::people::OrderKeys;

/// A row of either half of the statements: an order with its document, its payment's status and the minor
/// units that are owed, or a line of it; with each order the count of orders that were found, and with each line 1 if
/// its units are held.
pub(super) type Row =
    (String, Option<Vec<u8>>, Option<String>, Option<i64>, Option<Vec<u8>>, Option<i64>, Option<i64>);

/// An order as the statements find it.
pub(crate) struct Found {
    pub(super) id: String,
    pub(super) row: OrderRow,
    payment: Option<(PaymentStatusShape, i64)>,
    lines: Vec<(OrderLineRow, bool)>,
}

impl Found {
    pub(crate) fn answer(self, keys: &OrderKeys, position: Position) -> OrderAnswer {
        OrderAnswer::new(self.id, self.row, self.payment, self.lines, keys, position)
    }

    pub(crate) fn row(&self) -> &OrderRow {
        &self.row
    }

    /// The place of the order in every list: a page begins behind it.
    pub(crate) fn place(&self) -> Place {
        (self.row.placed_at.as_microsecond(), self.id.clone())
    }
}

/// The microsecond at which an order was placed, and its id.
pub(crate) type Place = (i64, String);

/// The place before every order.
pub(crate) fn first_place() -> Place {
    (i64::MAX, BEHIND_ALL.to_owned())
}

/// The orders of a list.
pub(crate) struct Wanted {
    /// The customer; none for the orders of everybody.
    pub(crate) customer: Option<String>,
    pub(crate) status: Option<&'static str>,
    /// True for those alone that lack an address; status and customer say nothing then.
    pub(crate) is_unaddressed: bool,
    /// Placed then or later, in microseconds.
    pub(crate) from: i64,
    pub(crate) behind: Place,
    pub(crate) limit: u32,
}

impl Wanted {
    /// A page, newest first, in one statement.
    pub(crate) async fn page(self, state: &QueryState, caller: &Caller) -> Result<Page<Found>, Problem> {
        let sql = match (&self.customer, self.status) {
            _ if self.is_unaddressed => statements::LIST_WITHOUT_ADDRESS,
            (Some(_), _) => statements::LIST_OF_CUSTOMER,
            (None, Some(_)) => statements::LIST_OF_STATUS,
            (None, None) => statements::LIST,
        };
        let statement = sqlx::query_as::<_, Row>(sql)
            .bind(self.behind.0)
            .bind(self.behind.1)
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
        let rows = statement.fetch_all(&mut *state.readers.of(caller).await?).await.map_err(failed)?;
        let found = rows.first().and_then(|row| row.5).unwrap_or_default();
        Ok(Page::of(grouped(rows)?, found, self.limit))
    }
}

/// Puts the lines to their orders.
pub(super) fn grouped(rows: Vec<Row>) -> Result<Vec<Found>, Problem> {
    let mut orders: Vec<Found> = Vec::new();
    let mut places = HashMap::new();
    for (id, order, status, owed, line, _, held) in rows {
        if let Some(bytes) = order {
            places.insert(id.clone(), orders.len());
            let status = status.map(|status| text_of("payment status", status)).transpose()?;
            let payment = status.map(|status| (status, owed.unwrap_or_default()));
            orders.push(Found { id, row: document(&bytes)?, payment, lines: Vec::new() });
        } else if let (Some(line), Some(place)) = (line, places.get(&id)) {
            orders[*place].lines.push((document(&line)?, held == Some(1)));
        }
    }
    Ok(orders)
}
