//! `POST /api/cart/items`, `PUT | DELETE /api/cart/items/{item}`, `DELETE /api/cart`.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use souk_domain::cart::{Cart, CartCommand};
use souk_domain::{CartId, Money, ProductId, Sku};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::shapes::{WriteResponse, Written};
use souk_http::{Caller, Problem, StrictJson, cart_token};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::{problem, problem_at};
use crate::reply::{Reply, send};
use crate::{fields, listing};

use super::lookup::cart_of_caller;
use super::request::{ItemRequest, QuantityRequest};

/// Returns the routes that write carts.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(add_item), Access::OptionalCart)
        .route(routes!(change_item), Access::OptionalCart)
        .route(routes!(remove_item), Access::OptionalCart)
        .route(routes!(clear), Access::OptionalCart)
}

fn existing_cart(caller: &Caller) -> Result<CartId, Problem> {
    cart_of_caller(caller).ok_or_else(|| Problem::new("not-found", "there is no cart yet; add an item first"))
}

/// Adds units of a SKU to the cart. The response to a guest's first write has the header `X-Cart-Token`.
#[utoipa::path(post, path = "/api/cart/items", tag = "cart", request_body = ItemRequest,
    responses((status = 200, body = Written, headers(("X-Cart-Token" = String)))))]
pub async fn add_item(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ItemRequest>,
) -> Result<Response, Problem> {
    let sku = fields::sku(&body.value.sku)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let (cart, is_new) = match cart_of_caller(&caller) {
        Some(cart) => (cart, false),
        None => (CartId(write.origin.command_id.derived_id("cart")), true),
    };
    let listed = listing::find(&ports, &sku).await?;
    let command = match listed {
        Some(listed) => CartCommand::Add {
            sku,
            product: listed.product,
            quantity: body.value.quantity,
            unit_price: listed.price,
            customer: caller.subject.clone(),
        },
        None => CartCommand::AddNotForSale { sku },
    };
    let request = write.request(Cart::stream(cart), command);
    let outcome = ports.aggregates.carts.execute(request).await.map_err(problem)?;
    let written = WriteResponse::written(StatusCode::OK, &cart, outcome.revision, outcome.position);
    let mut response = written.into_response();
    if is_new && let Ok(token) = HeaderValue::try_from(cart_token::issue(&ports.keys, cart)) {
        response.headers_mut().insert(cart_token::CART_TOKEN, token);
    }
    Ok(response)
}

fn not_for_sale(sku: &Sku) -> Problem {
    Problem::field("/sku", "unknown-sku", format!("SKU {sku} is not for sale"))
}

/// Reads the item of a path: a SKU, or the id of a product that has one line in the cart. Returns the SKU,
/// and true if the cart has a line of it.
async fn read_item(ports: &Ports, cart: CartId, item: &str) -> Result<(Sku, bool), Problem> {
    let sku = Sku::parse(item).map_err(|why| Problem::parameter("item", why))?;
    let loaded = ports.aggregates.carts.load(&Cart::stream(cart)).await?;
    let state = loaded.map(|loaded| loaded.state);
    let by_product = ProductId::parse(item)
        .ok()
        .and_then(|product| state.as_ref().and_then(|state| state.line_of_product(product).cloned()));
    let has_sku = state.as_ref().is_some_and(|state| state.line(&sku).is_some());
    Ok(match by_product {
        _ if has_sku => (sku, true),
        Some(sku) => (sku, true),
        None => (sku, false),
    })
}

/// Sets the units of a line. The line gets the current price.
#[utoipa::path(put, path = "/api/cart/items/{item}", tag = "cart", request_body = QuantityRequest,
    params(("item" = String, Path)),
    responses((status = 200, body = Written)))]
pub async fn change_item(
    State(ports): State<Ports>,
    caller: Caller,
    Path(item): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<QuantityRequest>,
) -> Reply {
    let cart = existing_cart(&caller)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&item], &body.raw);
    let (sku, has_line) = read_item(&ports, cart, &item).await?;
    let quantity = body.value.quantity;
    let unit_price = match listing::find(&ports, &sku).await? {
        Some(listed) => listed.price,
        None if has_line && quantity > 0 => return Err(not_for_sale(&sku)),
        None => Money::zero(ports.settings.currency),
    };
    // The cart refuses a change of a line that it does not have, unless the request repeats an earlier one.
    let command = CartCommand::Change { sku, quantity, unit_price };
    let outcome = ports.aggregates.carts.execute(write.request(Cart::stream(cart), command)).await;
    // The request has only the field `quantity`, so every error points to it.
    let outcome = outcome.map_err(|error| problem_at("/quantity", error))?;
    Ok(WriteResponse::written(StatusCode::OK, &cart, outcome.revision, outcome.position))
}

/// Removes a line from the cart.
#[utoipa::path(delete, path = "/api/cart/items/{item}", tag = "cart",
    params(("item" = String, Path)),
    responses((status = 200, body = Written)))]
pub async fn remove_item(
    State(ports): State<Ports>,
    caller: Caller,
    Path(item): Path<String>,
    headers: WriteHeaders,
) -> Reply {
    let cart = existing_cart(&caller)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&item], &[]);
    let (sku, _) = read_item(&ports, cart, &item).await?;
    send(&*ports.aggregates.carts, write.request(Cart::stream(cart), CartCommand::Remove { sku }), &cart)
        .await
}

/// Removes all lines from the cart.
#[utoipa::path(delete, path = "/api/cart", tag = "cart",
    responses((status = 200, body = Written)))]
pub async fn clear(State(ports): State<Ports>, caller: Caller, headers: WriteHeaders) -> Reply {
    let cart = existing_cart(&caller)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &[]);
    send(&*ports.aggregates.carts, write.request(Cart::stream(cart), CartCommand::Clear), &cart).await
}
