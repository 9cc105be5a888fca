//! `GET /api/orders`, `GET /api/orders/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_domain::order::OrderStatus;
use souk_domain::{CustomerId, Email, OrderId, PaymentId};
use souk_http::closed_texts::OrderStatusShape;
use souk_http::guard::Target;
use souk_http::headers::ReadHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::LookupShape;
use souk_http::{Caller, Problem, StrictJson, StrictQuery, paging};
use souk_projections::orders::OrderRow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Found, Place, Row, Wanted, grouped};
use super::response::OrderAnswer;
use super::statements;
use crate::answers::{ListOf, Single};
use crate::database::{BEHIND_ALL, QueryState, document, failed, not_found};
use crate::people::{OrderKeys, keys_of};
use crate::positions::ReadYourWrites;
use crate::time_range;

/// The list as its cursors name it.
const LIST: &str = "orders";
/// Orders with one code that a lookup compares with an e-mail address. Codes are random: two alike are rare.
const SAME_CODE_MAX: i64 = 10;
/// What orders are read from.
const MODELS: &[&str] = &["orders", "order_lines", "payments"];

pub(crate) fn router() -> OpenApiRouter<QueryState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(lookup))
}

/// What a list of orders can be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// As in `CONFIRMED`.
    #[param(value_type = Option<OrderStatusShape>, example = "CONFIRMED")]
    status: Option<OrderStatus>,
    /// Whose; only admins may name somebody else.
    #[param(min_length = 1, max_length = 64)]
    customer_id: Option<String>,
    /// Whether only those are wanted that can't be shipped because their address was erased; for admins.
    address_erased: Option<bool>,
    /// Placed then or later: a UTC day, or an instant.
    #[param(example = "2026-11-01")]
    from: Option<String>,
    /// Placed then or earlier: a UTC day, or an instant.
    #[param(example = "2026-11-30")]
    to: Option<String>,
    /// 1 to 100 items; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the last page ended.
    cursor: Option<String>,
}

/// Whether a caller may see an order: an admin, its customer, or the guest whose cart it comes from.
pub(crate) fn may_see(caller: &Caller, order: &OrderRow) -> bool {
    let is_own = match &order.customer {
        Some(customer) => caller.subject.as_ref() == Some(customer),
        None => order.cart.is_some() && order.cart == caller.cart,
    };
    is_own || caller.is_admin()
}

/// Lists orders, newest first.
///
/// The caller's own, or for an admin everybody's. A page ends early when its orders have more than 2,000 lines or
/// 1 MiB; an order that has more comes alone.
#[utoipa::path(
    get, path = "/api/orders", tag = "orders",
    params(OrdersQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<OrderAnswer>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<OrdersQuery>,
) -> Result<Json<ListOf<OrderAnswer>>, Problem> {
    let customer = listed_customer(&caller, query.customer_id.as_deref())?;
    let limit = paging::limit(query.limit)?;
    let (from, to) = (time_range::from(query.from.as_deref())?, time_range::to(query.to.as_deref())?);
    time_range::check(&from, &to)?;
    let cursor = paging::decode::<Place>(LIST, query.cursor.as_deref())?;
    let behind = cursor.filter(|(placed_at, _)| *placed_at <= to).unwrap_or((to, BEHIND_ALL.to_owned()));
    let position = state.positions.wait_for(headers).await?;

    let status = query.status.map(OrderStatus::as_str);
    let is_unaddressed = query.address_erased == Some(true);
    if is_unaddressed && !caller.is_admin() {
        return Err(Problem::new("forbidden", "only admins list orders without an address"));
    }
    let wanted = Wanted { customer, status, is_unaddressed, from, behind, limit };
    let page = wanted.page(&state, &caller).await?;
    let next_cursor = page.next_cursor(|last| paging::encode(LIST, &last.place()));
    let orders = page.items;
    let keys = OrderKeys::of(&state, orders.iter().map(Found::row)).await?;
    let items = orders.into_iter().map(|order| order.answer(&keys, position)).collect();
    let behind = state.positions.behind_in(MODELS);
    Ok(Json(ListOf { items, next_cursor, position: position.to_string(), behind }))
}

/// Shows a guest an order of theirs, by its code and the e-mail address it was placed with.
#[utoipa::path(
    post, path = "/api/orders/lookup", tag = "orders",
    request_body = LookupShape,
    params(ReadYourWrites),
    responses((status = 200, body = OrderAnswer, headers(("ETag" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn lookup(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    body: StrictJson<LookupShape>,
) -> Result<Single<OrderAnswer>, Problem> {
    let (code, email) = body.value.read()?;
    let target = Target::Order(code.clone());
    // Waiting for a position is no try: others at the same code would wait for its outcome.
    let position = state.positions.wait_for(headers).await?;
    let find = async {
        let id = id_of_guests_order(&state, &caller, &code, &email).await?;
        let order = match id {
            Some(id) => one(&state, &caller, &id, true).await?,
            None => None,
        };
        order.ok_or_else(|| not_found("order"))
    };
    let order = state.beside.guard.counting(&target, caller.address, find, |_| true).await?;
    let keys = OrderKeys::of(&state, std::iter::once(&order.row)).await?;
    let body = order.answer(&keys, position);
    Ok(Single { revision: Some(body.revision), behind: None, body })
}

/// Finds the order with this code that a guest placed with this address. No lines are read, so that the time of a
/// refusal does not tell how many an order has.
async fn id_of_guests_order(
    state: &QueryState,
    caller: &Caller,
    code: &str,
    email: &Email,
) -> Result<Option<String>, Problem> {
    let statement = sqlx::query_as::<_, (String, Vec<u8>)>(statements::CANDIDATES_OF_CODE);
    let statement = statement.bind(code).bind(SAME_CODE_MAX);
    let found = statement.fetch_all(&mut *state.readers.of(caller).await?).await.map_err(failed)?;
    let orders = found.into_iter().map(|(id, bytes)| Ok((id, document::<OrderRow>(&bytes)?)));
    let orders = orders.collect::<Result<Vec<_>, Problem>>()?;
    let keys = keys_of(state, orders.iter().flat_map(|(_, row)| row.people())).await?;
    let is_meant = |row: &OrderRow| {
        let known = row.guest_email().and_then(|known| known.reveal(&keys));
        known.is_some_and(|known| known == email.as_str())
    };
    Ok(orders.into_iter().find(|(_, row)| is_meant(row)).map(|(id, _)| id))
}

/// Reads one order with its lines: anybody's, or the caller's own alone.
async fn one(
    state: &QueryState,
    caller: &Caller,
    id: &str,
    anybodys: bool,
) -> Result<Option<Found>, Problem> {
    let statement = sqlx::query_as::<_, Row>(statements::GET).bind(id).bind(anybodys);
    let statement = statement.bind(caller.subject.as_ref().map(CustomerId::as_str));
    let statement = statement.bind(caller.cart.map(|cart| cart.to_string()));
    let rows = statement.fetch_all(&mut *state.readers.of(caller).await?).await.map_err(failed)?;
    Ok(grouped(rows)?.pop())
}

/// Whose orders are listed; `None` for everybody's.
fn listed_customer(caller: &Caller, asked: Option<&str>) -> Result<Option<String>, Problem> {
    let subject = caller.signed_in()?;
    let asked = asked.map(CustomerId::parse).transpose();
    let asked = asked.map_err(|error| Problem::parameter("customerId", error))?;
    if caller.is_admin() {
        return Ok(asked.map(|customer| customer.to_string()));
    }
    if asked.is_some_and(|asked| asked != *subject) {
        return Err(Problem::new("forbidden", "only admins see the orders of somebody else"));
    }
    Ok(Some(subject.to_string()))
}

/// Shows an order.
///
/// The caller's own, or for an admin anybody's.
#[utoipa::path(
    get, path = "/api/orders/{id}", tag = "orders",
    params(("id" = String, Path, format = "uuid"), ReadYourWrites),
    responses((status = 200, body = OrderAnswer, headers(("ETag" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    Path(id): Path<String>,
) -> Result<Single<OrderAnswer>, Problem> {
    let at = state.positions.wait_for_one(headers, MODELS, &id).await?;
    let order = one(&state, &caller, &id, caller.is_admin()).await?;
    let order = order.filter(|order| may_see(&caller, &order.row)).ok_or_else(|| at.not_found("order"))?;
    let payment = id.parse().map(|order| PaymentId::of(OrderId(order)).to_string()).ok();
    let at = state.positions.joined(at, &["payments"], payment.as_deref().into_iter());
    let keys = OrderKeys::of(&state, std::iter::once(&order.row)).await?;
    let body = order.answer(&keys, at.position);
    Ok(Single { revision: Some(body.revision), behind: at.behind, body })
}
