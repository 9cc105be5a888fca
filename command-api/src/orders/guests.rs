//! `POST /api/orders/lookup/erase`: erasure of a guest's personal data.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use souk_domain::order::Order;
use souk_domain::{Email, OrderId};
use souk_http::guard::Target;
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, RateClass, Side, rules};
use souk_http::shapes::{LookupShape, POSITION};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::{GuestOrder, Ports};
use crate::users::erasure;

/// Returns the route that erases guests.
pub(crate) fn router() -> ApiRouter<Ports> {
    let erasure_rules = rules(Access::Anyone).counts_as(RateClass::Auth).hides_other_owners();
    ApiRouter::new(Side::Command).route(routes!(erase), erasure_rules)
}

/// Erases the personal data of a guest. The order code and the e-mail address of the order identify the
/// guest.
#[utoipa::path(post, path = "/api/orders/lookup/erase", tag = "orders", request_body = LookupShape,
    responses((status = 202, headers(("X-Position" = String)))))]
pub async fn erase(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<LookupShape>,
) -> Result<Response, Problem> {
    let (code, email) = body.value.read()?;
    let target = Target::Order(code.clone());
    let find = async {
        let order = find_order(&ports, &code, &email).await?;
        order.ok_or_else(|| Problem::new("not-found", "there is no such order"))
    };
    let order = ports.accounts.guard.attempt(&target, caller.address, find, |_| true).await?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let position = erasure::erase_guest(&ports, order, &write.origin).await?;
    Ok((StatusCode::ACCEPTED, [(POSITION, position.to_string())]).into_response())
}

/// Finds the order with this code that a guest placed with this e-mail address.
async fn find_order(ports: &Ports, code: &str, email: &Email) -> Result<Option<OrderId>, Problem> {
    let candidates = ports.finder.by_code(code).await?;
    let guests = candidates.iter().map(|candidate| candidate.email.person().clone()).collect();
    let keys = ports.people.keys_for_opening(guests).await?;
    let has_email = |candidate: &GuestOrder| {
        candidate.email.reveal(&keys).is_some_and(|order_email| order_email == email.as_str())
    };
    let Some(GuestOrder { order, .. }) = candidates.into_iter().find(has_email) else { return Ok(None) };
    // The read models may be behind: the order may belong to a customer by now.
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?;
    Ok(loaded.and_then(|loaded| loaded.state.guest_email().map(|_| order)))
}
