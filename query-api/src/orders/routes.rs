//! `GET /api/orders`, `GET /api/orders/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_domain::order::OrderStatus;
use souk_domain::{CustomerId, Email, OrderId, PaymentId};
use souk_eventsourcing::Personal;
use souk_http::closed_texts::OrderStatusShape;
use souk_http::guard::Target;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, RateClass, Side, rules};
use souk_http::shapes::LookupShape;
use souk_http::{Caller, Problem, StrictJson, StrictQuery};
use souk_projections::orders::GuestOfOrder;
use utoipa_axum::routes;

use super::page::{OrderPageRequest, OrderSortKey, OrderWithLines, find_order};
use super::response::OrderResponse;
use crate::database::{AFTER_EVERY_TEXT, QueryState, database_problem, not_found};
use crate::list::PageRequest;
use crate::people::{OrderKeys, keys_of};
use crate::positions::ReadYourWrites;
use crate::responses::{ListOf, Single};
use crate::time_range;

/// Name of the list in its cursors.
const LIST: &str = "orders";
/// Maximum number of orders with the same code that a lookup compares with an e-mail address. Codes are
/// random, so two orders rarely have the same code.
const SAME_CODE_MAX: i64 = 10;
/// Read models of orders.
const MODELS: &[&str] = &["orders", "order_lines", "payments"];

pub(crate) fn router() -> ApiRouter<QueryState> {
    let lookup_rules = rules(Access::Anyone).counts_as(RateClass::Auth).hides_other_owners();
    ApiRouter::new(Side::Query)
        .route(routes!(list), Access::SignedIn)
        .route(routes!(get), Access::Buyer)
        .route(routes!(lookup), lookup_rules)
}

/// Query parameters of the list of orders.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// Status of the orders.
    #[param(value_type = Option<OrderStatusShape>, example = "CONFIRMED")]
    status: Option<OrderStatus>,
    /// Customer who placed the orders. Only admins can name a customer other than themselves.
    #[param(min_length = 1, max_length = 64)]
    customer_id: Option<String>,
    /// True to list only orders that can't be shipped because their address was erased. For admins.
    address_erased: Option<bool>,
    /// Earliest time of placing: a UTC day or an instant.
    #[param(example = "2026-11-01")]
    from: Option<String>,
    /// Latest time of placing: a UTC day (until its end) or an instant.
    #[param(example = "2026-11-30")]
    to: Option<String>,
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists orders, newest first.
///
/// Customers see their own orders, admins see all orders. The orders on a page have at most 2,000 lines and 1
/// MiB together, so a page can have fewer orders than `limit`. An order with more lines or bytes is the only
/// order on its page.
#[utoipa::path(
    get, path = "/api/orders", tag = "orders",
    params(OrdersQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<OrderResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<OrdersQuery>,
) -> Result<Json<ListOf<OrderResponse>>, Problem> {
    let customer = listed_customer(&caller, query.customer_id.as_deref())?;
    let request = PageRequest::new(query.limit, query.cursor)?;
    let from = time_range::from(query.from.as_deref())?;
    let to = time_range::to(query.to.as_deref())?;
    time_range::check(&from, &to)?;
    let after = request.after::<OrderSortKey>(LIST)?;
    let page_start =
        after.filter(|(placed_at, _)| *placed_at <= to).unwrap_or((to, AFTER_EVERY_TEXT.to_owned()));
    let position = state.positions.wait_for(headers).await?;

    let status = query.status.map(OrderStatus::as_str);
    let is_unaddressed = query.address_erased == Some(true);
    if is_unaddressed && !caller.is_admin() {
        return Err(Problem::new("forbidden", "only admins can list orders without an address"));
    }
    let limit = request.limit;
    let request = OrderPageRequest { customer, status, is_unaddressed, from, page_start, limit };
    let page = request.page(&state, &caller).await?;
    let keys = OrderKeys::of(&state, page.items.iter().map(OrderWithLines::row)).await?;
    let behind = state.positions.count_behind(MODELS);
    let item = |order: OrderWithLines| Some(order.answer(&keys, position));
    Ok(page.respond(LIST, position, behind, OrderWithLines::sort_key, item))
}

/// Shows a guest's order, found by its code and the e-mail address of the guest.
#[utoipa::path(
    post, path = "/api/orders/lookup", tag = "orders",
    request_body = LookupShape,
    params(ReadYourWrites),
    responses((status = 200, body = OrderResponse, headers(("ETag" = String))))
)]
async fn lookup(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    body: StrictJson<LookupShape>,
) -> Result<Single<OrderResponse>, Problem> {
    let (code, email) = body.value.read()?;
    let target = Target::Order(code.clone());
    // The wait for a position comes before the throttle: otherwise other lookups of the same code would wait
    // as long.
    let position = state.positions.wait_for(headers).await?;
    let find = async {
        let id = find_guest_order_id(&state, &caller, &code, &email).await?;
        let order = match id {
            Some(id) => find_order(&state, &caller, &id, |_| true).await?,
            None => None,
        };
        order.ok_or_else(|| not_found("order"))
    };
    let order = state.ports.guard.attempt(&target, caller.address, find, |_| true).await?;
    let keys = OrderKeys::of(&state, std::iter::once(&order.row)).await?;
    let body = order.answer(&keys, position);
    Ok(Single { revision: Some(body.revision), parked_since: None, body })
}

/// Returns the id of the guest's order with this code and e-mail address. No lines are read, so that the time
/// of a 404 response does not reveal how many lines an order has. An order whose e-mail address can't be
/// parsed belongs to no caller.
async fn find_guest_order_id(
    state: &QueryState,
    caller: &Caller,
    code: &str,
    email: &Email,
) -> Result<Option<String>, Problem> {
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(include_str!("candidates_of_code.sql"));
    let statement = statement.bind(code).bind(SAME_CODE_MAX);
    let found = statement
        .fetch_all(&mut *state.readers.connection_for(caller).await?)
        .await
        .map_err(database_problem)?;
    let emails =
        found.into_iter().filter_map(|(id, bytes)| Some((id, GuestOfOrder::parse(&bytes)?.email()?)));
    let emails: Vec<(String, Personal<String>)> = emails.collect();
    let keys = keys_of(state, emails.iter().map(|(_, sealed)| sealed.person().clone())).await?;
    let is_given =
        |sealed: &Personal<String>| sealed.reveal(&keys).is_some_and(|open| open == email.as_str());
    Ok(emails.into_iter().find(|(_, sealed)| is_given(sealed)).map(|(id, _)| id))
}

/// Returns the customer whose orders are listed; none for the orders of all customers and guests.
fn listed_customer(caller: &Caller, customer_id: Option<&str>) -> Result<Option<String>, Problem> {
    let subject = caller.signed_in()?;
    let requested = customer_id.map(CustomerId::parse).transpose();
    let requested = requested.map_err(|error| Problem::parameter("customerId", error))?;
    if caller.is_admin() {
        return Ok(requested.map(|customer| customer.to_string()));
    }
    if requested.is_some_and(|customer| customer != *subject) {
        return Err(Problem::new("forbidden", "only admins can see the orders of other customers"));
    }
    Ok(Some(subject.to_string()))
}

/// Shows an order.
///
/// Customers and guests see their own orders, admins see all orders.
#[utoipa::path(
    get, path = "/api/orders/{id}", tag = "orders",
    params(("id" = String, Path, format = "uuid"), ReadYourWrites),
    responses((status = 200, body = OrderResponse, headers(("ETag" = String))))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(id): Path<String>,
) -> Result<Single<OrderResponse>, Problem> {
    let at = state.positions.wait_for_one(headers, MODELS, &id).await?;
    let order = find_order(&state, &caller, &id, |owner| owner.allows(&caller)).await?;
    let order = order.ok_or_else(|| at.not_found("order"))?;
    let payment = OrderId::parse(&id).map(|order| PaymentId::of(order).to_string()).ok();
    let at = state.positions.include_joined(at, &["payments"], payment.as_deref().into_iter());
    let keys = OrderKeys::of(&state, std::iter::once(&order.row)).await?;
    let body = order.answer(&keys, at.position);
    Ok(Single { revision: Some(body.revision), parked_since: at.parked_since, body })
}
