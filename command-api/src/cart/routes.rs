//! `POST /api/cart/items`, `PUT | DELETE /api/cart/items/{item}`, `DELETE /api/cart`,
//! `POST /api/cart/merge`.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use souk_domain::cart::{Cart, CartCommand, CartEvent, CartRejection};
use souk_domain::limits::LINE_UNITS_MAX;
use souk_domain::{CartId, Money, ProductId, Sku};
use souk_eventsourcing::{CommandError, CommandRequest};
use souk_web::headers::WriteHeaders;
use souk_web::problem::ProblemBody;
use souk_web::shapes::{WriteAnswer, Written};
use souk_web::{Caller, Problem, StrictJson, cart_token};
use uuid::Uuid;

use crate::inventory::request::sku as read_sku;
use crate::listing;
use crate::origin::Write;
use crate::rejected::{problem, problem_at};
use crate::shop::Shop;

use super::request::{CappedLine, CartsMerged, ItemRequest, MergeRequest, QuantityRequest};

type Answer = Result<WriteAnswer<Written>, Problem>;

/// The caller's cart; none for a guest without a token.
pub fn of_caller(caller: &Caller) -> Option<CartId> {
    caller.subject.as_ref().map(CartId::of_customer).or(caller.cart)
}

fn present(caller: &Caller) -> Result<CartId, Problem> {
    of_caller(caller).ok_or_else(|| Problem::new("not-found", "there is no cart yet; put something in first"))
}

/// Puts units of a SKU in. A guest's first write answers with `X-Cart-Token`.
#[utoipa::path(post, path = "/api/cart/items", tag = "cart", request_body = ItemRequest,
    responses((status = 200, body = Written, headers(("X-Cart-Token" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn add_item(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ItemRequest>,
) -> Result<Response, Problem> {
    let sku = read_sku(&body.value.sku)?;
    let came = Write::new(&shop, &caller, &headers, "POST /api/cart/items", &body.raw);
    let (cart, is_new) = match of_caller(&caller) {
        Some(cart) => (cart, false),
        None => (CartId(came.origin.command_id.creates("cart")), true),
    };
    let listed = listing::find(&shop, &sku).await?;
    // What is not for sale is sent as no units: refused, unless it is a repeat of what was done before.
    let (quantity, unit_price, product) = match &listed {
        Some(listed) => (body.value.quantity, listed.price, listed.product),
        None => (0, Money::zero(shop.settings.currency), ProductId(Uuid::nil())),
    };
    let command = CartCommand::Add {
        sku: sku.clone(),
        product,
        quantity,
        unit_price,
        customer: caller.subject.clone(),
    };
    let outcome = match shop.carts.execute(came.request(Cart::stream(cart), command)).await {
        Err(CommandError::Rejected(_)) if listed.is_none() => return Err(not_sold(&sku)),
        result => result.map_err(|error| match error {
            CommandError::Rejected(CartRejection::CurrencyMismatch) => problem_at("/sku", error),
            error => problem(error),
        })?,
    };
    let answer = WriteAnswer::written(StatusCode::OK, &cart, outcome.revision, outcome.position);
    let mut response = answer.into_response();
    if is_new && let Ok(token) = HeaderValue::try_from(cart_token::issue(&shop.keys, cart)) {
        response.headers_mut().insert(cart_token::CART_TOKEN, token);
    }
    Ok(response)
}

fn not_sold(sku: &Sku) -> Problem {
    Problem::field("/sku", "unknown-sku", format!("SKU {sku} is not for sale"))
}

/// The line that a path names, by its SKU or by the id of a product that has one line, and whether it is
/// there.
async fn line(shop: &Shop, cart: CartId, item: &str) -> Result<(Sku, bool), Problem> {
    let sku = Sku::parse(item).map_err(|why| Problem::parameter("item", why))?;
    let loaded = shop.carts.load(&Cart::stream(cart)).await?;
    let state = loaded.map(|loaded| loaded.state);
    let by_product = item
        .parse()
        .ok()
        .map(ProductId)
        .and_then(|product| state.as_ref().and_then(|state| state.line_of_product(product).cloned()));
    let has_sku = state.as_ref().is_some_and(|state| state.line(&sku).is_some());
    Ok(match by_product {
        _ if has_sku => (sku, true),
        Some(sku) => (sku, true),
        None => (sku, false),
    })
}

/// Sets a line's units, at the price as of now.
#[utoipa::path(put, path = "/api/cart/items/{item}", tag = "cart", request_body = QuantityRequest,
    params(("item" = String, Path)),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_item(
    State(shop): State<Shop>,
    caller: Caller,
    Path(item): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<QuantityRequest>,
) -> Answer {
    let cart = present(&caller)?;
    let came = Write::new(&shop, &caller, &headers, &format!("PUT /api/cart/items/{item}"), &body.raw);
    let (sku, is_there) = line(&shop, cart, &item).await?;
    let quantity = body.value.quantity;
    let unit_price = match listing::find(&shop, &sku).await? {
        Some(listed) => listed.price,
        None if is_there && quantity > 0 => return Err(not_sold(&sku)),
        None => Money::zero(shop.settings.currency),
    };
    // Of a line that is not there, the cart itself says so, unless it is a repeat of what was done before.
    let command = CartCommand::Change { sku, quantity, unit_price };
    send(&shop, cart, &came, command).await
}

/// Takes a line out.
#[utoipa::path(delete, path = "/api/cart/items/{item}", tag = "cart",
    params(("item" = String, Path)),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn remove_item(
    State(shop): State<Shop>,
    caller: Caller,
    Path(item): Path<String>,
    headers: WriteHeaders,
) -> Answer {
    let cart = present(&caller)?;
    let came = Write::new(&shop, &caller, &headers, &format!("DELETE /api/cart/items/{item}"), &[]);
    let (sku, _) = line(&shop, cart, &item).await?;
    send(&shop, cart, &came, CartCommand::Remove { sku }).await
}

/// Takes all lines out.
#[utoipa::path(delete, path = "/api/cart", tag = "cart",
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn clear(State(shop): State<Shop>, caller: Caller, headers: WriteHeaders) -> Answer {
    let cart = present(&caller)?;
    let came = Write::new(&shop, &caller, &headers, "DELETE /api/cart", &[]);
    send(&shop, cart, &came, CartCommand::Clear).await
}

async fn send(shop: &Shop, cart: CartId, came: &Write<'_>, command: CartCommand) -> Answer {
    let outcome = shop.carts.execute(came.request(Cart::stream(cart), command)).await.map_err(problem)?;
    Ok(WriteAnswer::written(StatusCode::OK, &cart, outcome.revision, outcome.position))
}

/// Takes the lines of a guest cart into the customer's. The customer's cart has them before the guest's
/// loses them, so that a crash in between loses none; the next merge then does the rest. A line has a limit of units:
/// the answer says which lines had no room for all of them.
#[utoipa::path(post, path = "/api/cart/merge", tag = "cart", request_body = MergeRequest,
    responses((status = 200, body = CartsMerged), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn merge(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<MergeRequest>,
) -> Result<WriteAnswer<CartsMerged>, Problem> {
    let customer = caller.signed_in()?.clone();
    let from = cart_token::verify(&shop.keys, &body.value.cart_token).ok_or_else(|| {
        Problem::field("/cartToken", "unknown-token", "a token that this shop gave out is allowed")
    })?;
    let into = CartId::of_customer(&customer);
    let came = Write::new(&shop, &caller, &headers, "POST /api/cart/merge", &body.raw);
    let guest = shop.carts.load(&Cart::stream(from)).await?;
    let (from_revision, lines, given_at) = guest
        .map(|guest| (guest.revision.0, guest.state.cart_lines(), guest.state.given_at()))
        .unwrap_or_default();
    let command = CartCommand::Merge { from, from_revision, lines, given_at, customer };
    let outcome = shop.carts.execute(came.request(Cart::stream(into), command)).await;
    let outcome = outcome.map_err(|error| problem_at("/cartToken", error))?;
    let mut position = outcome.position;
    let not_given = |revision| given_at.is_none_or(|given_at| given_at < revision);
    for (at_revision, units) in outcome.state.merges_of(from).filter(|(revision, _)| not_given(*revision)) {
        let command = CartCommand::MergeAway { into, at_revision, units: units.clone() };
        let origin = came.origin.step(&format!("merge away {at_revision}"));
        let away = CommandRequest::new(Cart::stream(from), command, origin);
        let away = CommandRequest { repeatable: came.keyed, ..away };
        position = position.max(shop.carts.execute(away).await.map_err(problem)?.position);
    }
    let is_any_full = outcome.state.lines().any(|(_, line)| line.quantity >= LINE_UNITS_MAX);
    let capped = if is_any_full { capped(&shop, into, &came).await? } else { Vec::new() };
    let id = into.to_string();
    let revision = outcome.revision;
    let body = CartsMerged { id, revision: revision.0, position: position.to_string(), capped };
    Ok(WriteAnswer { status: StatusCode::OK, location: None, revision, position, body })
}

/// The lines that had no room for all units, by the event that a merge left.
async fn capped(shop: &Shop, into: CartId, came: &Write<'_>) -> Result<Vec<CappedLine>, Problem> {
    let found = shop.carts.find(&Cart::stream(into), &came.origin).await.map_err(problem)?;
    let event = found.map(|found| found.first.decode()).transpose();
    match event.map_err(|error| Problem::internal(&error))? {
        Some(CartEvent::Merged(merged)) => Ok(CappedLine::of(&merged)),
        _ => Ok(Vec::new()),
    }
}
