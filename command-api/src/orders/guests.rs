//! `POST /api/orders/lookup/erase`: a guest wants to be forgotten.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use souk_domain::order::Order;
use souk_domain::{Email, OrderId};
use souk_http::guard::Target;
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{LookupShape, POSITION};
use souk_http::{Caller, Problem, StrictJson};

use crate::origin::Write;
use crate::shop::{GuestOrder, Shop};
use crate::users::erasure;

/// Forgets who placed an order as a guest, by its code and their e-mail address.
#[utoipa::path(post, path = "/api/orders/lookup/erase", tag = "orders", request_body = LookupShape,
    responses((status = 202, headers(("X-Position" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn erase(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<LookupShape>,
) -> Result<Response, Problem> {
    let (code, email) = body.value.read()?;
    let target = Target::Order(code.clone());
    let find = async {
        let order = meant(&shop, &code, &email).await?;
        order.ok_or_else(|| Problem::new("not-found", "there is no such order"))
    };
    let order = shop.accounts.guard.counting(&target, caller.address, find, |_| true).await?;
    let came = Write::new(&shop, &caller, &headers, "POST /api/orders/lookup/erase", &body.raw);
    let position = erasure::erase_guest(&shop, order, &came.origin).await?;
    Ok((StatusCode::ACCEPTED, [(POSITION, position.to_string())]).into_response())
}

/// The order with this code that a guest placed with this address.
async fn meant(shop: &Shop, code: &str, email: &Email) -> Result<Option<OrderId>, Problem> {
    let candidates = shop.finder.by_code(code).await?;
    let guests = candidates.iter().map(|candidate| candidate.email.person().clone()).collect();
    let keys = shop.people.to_open(guests).await?;
    let is_meant =
        |candidate: &GuestOrder| candidate.email.reveal(&keys).is_some_and(|known| known == email.as_str());
    let Some(GuestOrder { order, .. }) = candidates.into_iter().find(is_meant) else { return Ok(None) };
    // The read models may lag behind: the order may be a customer's by now.
    let loaded = shop.orders.load(&Order::stream(order)).await?;
    Ok(loaded.and_then(|loaded| loaded.state.guest_email().map(|_| order)))
}
