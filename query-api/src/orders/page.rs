//! Orders with their lines, read from the read models one by one or in pages.

use std::collections::HashMap;

use souk_eventsourcing::Position;
use souk_http::closed_texts::PaymentStatusShape;
use souk_http::{Caller, Problem};
use souk_projections::order_lines::OrderLineRow;
use souk_projections::orders::OrderRow;
use sqlx::SqliteConnection;

use super::owner::OrderOwner;
use super::response::OrderResponse;
use crate::database::{AFTER_EVERY_TEXT, QueryState, database_problem, key_set, parse_document, parse_text};
use crate::pages::{Page, Size, one_more};
use crate::people::OrderKeys;

/// Row of an order: its id and document, and the status and the owed amount, in minor units, of its payment.
type OrderAndPayment = (String, Vec<u8>, Option<String>, Option<i64>);
/// Row of one order: like [`OrderAndPayment`], with the customer, or the cart of a guest.
type OwnedOrder = (String, Vec<u8>, Option<String>, Option<i64>, Option<String>, Option<String>);
/// Row of a list: the id of an order, the bytes of its document and its number of lines.
type MeasuredOrder = (String, i64, i64);

/// Order with its lines. Each line has a flag that is true if its units are reserved now.
pub(crate) struct OrderWithLines {
    pub(super) id: String,
    pub(super) row: OrderRow,
    payment: Option<(PaymentStatusShape, i64)>,
    lines: Vec<(OrderLineRow, bool)>,
}

impl OrderWithLines {
    /// Parses a row. The lines are added later.
    fn without_lines(row: OrderAndPayment) -> Result<Self, Problem> {
        let (id, bytes, status, owed) = row;
        let status = status.map(|status| parse_text("payment status", status)).transpose()?;
        let payment = status.map(|status| (status, owed.unwrap_or_default()));
        Ok(Self { id, row: parse_document(&bytes)?, payment, lines: Vec::new() })
    }

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
    /// Reads the page, newest first: first the ids and sizes, then the orders of the page, then their lines.
    pub(crate) async fn page(
        self,
        state: &QueryState,
        caller: &Caller,
    ) -> Result<Page<OrderWithLines>, Problem> {
        let sql = match (&self.customer, self.status) {
            _ if self.is_unaddressed => include_str!("list_without_address.sql"),
            (Some(_), _) => include_str!("list_of_customer.sql"),
            (None, Some(_)) => include_str!("list_of_status.sql"),
            (None, None) => include_str!("list.sql"),
        };
        let statement = sqlx::query_as::<_, MeasuredOrder>(sql)
            .bind(self.page_start.0)
            .bind(self.page_start.1)
            .bind(one_more(self.limit))
            .bind(self.from);
        let statement = match (self.customer, self.status) {
            _ if self.is_unaddressed => statement,
            (Some(customer), status) => statement.bind(customer).bind(status),
            (None, Some(status)) => statement.bind(status),
            (None, None) => statement,
        };
        let mut connection = state.readers.connection_for(caller).await?;
        let mut transaction = connection.begin().await?;
        let size_of = |(_, bytes, lines): &MeasuredOrder| Size::measured(*bytes, *lines);
        let page = Page::read(statement.fetch(&mut *transaction), self.limit, size_of).await?;
        let ids = key_set(page.items.iter().map(|(id, ..)| id.as_str()));
        let statement = sqlx::query_as::<_, OrderAndPayment>(include_str!("get_several.sql")).bind(&ids);
        let rows = statement.fetch_all(&mut *transaction).await.map_err(database_problem)?;
        let lines = LinesOfOrders::read(&mut transaction, &ids).await?;
        drop(transaction);
        drop(connection);
        let orders = rows.into_iter().map(OrderWithLines::without_lines);
        let mut orders = orders.collect::<Result<Vec<OrderWithLines>, Problem>>()?;
        lines.add_to(&mut orders)?;
        let mut orders: HashMap<String, OrderWithLines> =
            orders.into_iter().map(|order| (order.id.clone(), order)).collect();
        let missing = || Problem::internal(&"an order of the page was not read");
        page.try_map(|(id, ..)| orders.remove(&id).ok_or_else(missing))
    }
}

/// Reads one order with its lines, if the caller is allowed to see it. For other callers no lines are read
/// and nothing is parsed, so neither the response nor its time reveals anything about the order.
pub(super) async fn find_order(
    state: &QueryState,
    caller: &Caller,
    id: &str,
    is_visible: impl FnOnce(&OrderOwner) -> bool,
) -> Result<Option<OrderWithLines>, Problem> {
    let mut connection = state.readers.connection_for(caller).await?;
    let mut transaction = connection.begin().await?;
    let statement = sqlx::query_as::<_, OwnedOrder>(include_str!("get.sql")).bind(id);
    let row = statement.fetch_optional(&mut *transaction).await.map_err(database_problem)?;
    let Some((id, bytes, status, owed, customer, cart)) = row else { return Ok(None) };
    if !is_visible(&OrderOwner { customer, cart }) {
        return Ok(None);
    }
    let lines = LinesOfOrders::read(&mut transaction, &key_set([id.as_str()])).await?;
    drop(transaction);
    drop(connection);
    let mut order = OrderWithLines::without_lines((id, bytes, status, owed))?;
    lines.add_to(std::slice::from_mut(&mut order))?;
    Ok(Some(order))
}

/// Rows of the lines of some orders. They are parsed after the connection was given back.
struct LinesOfOrders(Vec<LineOfOrder>);

/// Row of a line: the id of its order, its document, and true if its units are reserved now.
type LineOfOrder = (String, Vec<u8>, bool);

impl LinesOfOrders {
    /// Reads the rows of the orders in a key set.
    async fn read(transaction: &mut SqliteConnection, ids: &str) -> Result<Self, Problem> {
        let statement = sqlx::query_as::<_, LineOfOrder>(include_str!("lines.sql")).bind(ids);
        statement.fetch_all(transaction).await.map(Self).map_err(database_problem)
    }

    /// Parses the lines and adds them to their orders.
    fn add_to(self, orders: &mut [OrderWithLines]) -> Result<(), Problem> {
        let mut by_id: HashMap<String, &mut Vec<(OrderLineRow, bool)>> =
            orders.iter_mut().map(|order| (order.id.clone(), &mut order.lines)).collect();
        for (id, bytes, is_reserved) in self.0 {
            let line = parse_document::<OrderLineRow>(&bytes)?;
            if let Some(lines) = by_id.get_mut(&id) {
                lines.push((line, is_reserved));
            }
        }
        Ok(())
    }
}
