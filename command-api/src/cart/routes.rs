//! `POST /api/cart/items`, `PUT | DELETE /api/cart/items/{item}`, `DELETE /api/cart`.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use souk_domain::cart::{Cart, CartCommand, CartRejection};
use souk_domain::{CartId, Money, ProductId, Sku};
use souk_eventsourcing::CommandError;
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{WriteAnswer, Written};
use souk_http::{Caller, Problem, StrictJson, cart_token};
use uuid::Uuid;

use crate::inventory::request::sku as read_sku;
use crate::listing;
use crate::origin::Write;
use crate::rejected::{problem, problem_at};
use crate::shop::Shop;

use super::request::{ItemRequest, QuantityRequest};

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
            CommandError::Rejected(CartRejection::CurrencyMismatch { .. }) => problem_at("/sku", error),
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
    let outcome = shop.carts.execute(came.request(Cart::stream(cart), command)).await;
    // The request has one field, whatever is wrong with the line.
    let outcome = outcome.map_err(|error| problem_at("/quantity", error))?;
    Ok(WriteAnswer::written(StatusCode::OK, &cart, outcome.revision, outcome.position))
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
