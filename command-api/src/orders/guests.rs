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
    let erasure_rules = rules(Access::Anyone)
        .counts_as(RateClass::Auth)
        .takes_idempotency_keys()
        .without_revision()
        .hides_other_owners();
    ApiRouter::new(Side::Command).route(routes!(erase), erasure_rules)
}

/// Erases the personal data of a guest. The order code and the e-mail address of the order identify the
/// guest. An idempotency key works without a token too.
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
    let write = WriteRequest::of_guest(
        &ports,
        &caller,
        &headers,
        &[code.as_bytes(), email.as_str().as_bytes()],
        &body.raw,
    );
    let find = async {
        let candidates = ports.finder.by_code(&code).await?;
        let order = match erased_order(&ports, &candidates, &write).await? {
            Some(order) => Some(order),
            None => order_of_guest(&ports, candidates, &email).await?,
        };
        order.ok_or_else(|| Problem::new("not-found", "there is no such order"))
    };
    let order = ports.accounts.guard.attempt(&target, caller.address, find, |_| true).await?;
    let position = erasure::erase_guest(&ports, order, &write.origin).await?;
    Ok((StatusCode::ACCEPTED, [(POSITION, position.to_string())]).into_response())
}

/// Returns the order whose guest an earlier request with the same idempotency key erased; `None` if there was no
/// such request. After an erasure, no e-mail address is left to compare with.
async fn erased_order(
    ports: &Ports,
    candidates: &[GuestOrder],
    write: &WriteRequest<'_>,
) -> Result<Option<OrderId>, Problem> {
    if write.keyed {
        for candidate in candidates {
            if erasure::was_erased_by(ports, candidate.order, &write.origin).await? {
                return Ok(Some(candidate.order));
            }
        }
    }
    Ok(None)
}

/// Returns the order that a guest placed with this e-mail address; `None` if there is none.
async fn order_of_guest(
    ports: &Ports,
    candidates: Vec<GuestOrder>,
    email: &Email,
) -> Result<Option<OrderId>, Problem> {
    let sealed = candidates.iter().filter_map(|candidate| candidate.email.as_ref());
    let keys = ports.people.keys_for_opening(sealed.map(|email| email.person().clone()).collect()).await?;
    let has_email = |candidate: &GuestOrder| {
        let order_email = candidate.email.as_ref().and_then(|email| email.reveal(&keys));
        order_email.is_some_and(|order_email| order_email == email.as_str())
    };
    let Some(GuestOrder { order, .. }) = candidates.into_iter().find(has_email) else { return Ok(None) };
    // The read models may be behind: the order may belong to a customer by now.
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?;
    Ok(loaded.and_then(|loaded| loaded.state.guest_email().map(|_| order)))
}
