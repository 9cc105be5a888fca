//! `GET /api/cart`.

use axum::extract::State;
use souk_domain::{CartId, Money};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::shapes::MoneyShape;
use souk_http::{Caller, Problem};
use souk_projections::carts::CartRow;
use utoipa_axum::routes;

use super::response::{CartLineResponse, CartResponse};
use crate::database::{QueryState, database_problem, parse_document};
use crate::positions::{ReadAt, ReadYourWrites};
use crate::responses::Single;

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(get), Access::OptionalCart)
}

/// Read models of carts. Their lines are joined with variants and stock.
const MODELS: &[&str] = &["carts", "cart_lines"];

/// Row of the statement: cart, line, variant of the line's SKU, and available units.
type Row = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>);

/// Shows the caller's cart.
///
/// A signed-in caller sees their own cart, a guest the cart of `X-Cart-Token`. A cart that does not exist yet
/// is shown as an empty cart.
#[utoipa::path(
    get, path = "/api/cart", tag = "cart",
    params(ReadYourWrites),
    responses((status = 200, body = CartResponse, headers(("ETag" = String))))
)]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<CartResponse>, Problem> {
    let cart = caller.subject.as_ref().map(CartId::of_customer).or(caller.cart);
    let Some(cart) = cart else {
        let position = state.positions.wait_for(headers).await?;
        return Ok(empty(&state, None, ReadAt { position, parked_since: None }));
    };
    read(&state, &caller, cart, headers).await
}

/// Reads a cart. The response has `X-Behind-Since` if the cart, or a row that is joined with its lines, is
/// parked.
pub(crate) async fn read(
    state: &QueryState,
    caller: &Caller,
    cart: CartId,
    headers: ReadHeaders,
) -> Result<Single<CartResponse>, Problem> {
    let at = state.positions.wait_for_one(headers, MODELS, &cart.to_string()).await?;
    let statement = sqlx::query_as::<_, Row>(include_str!("get.sql")).bind(cart.to_string());
    let rows = statement
        .fetch_all(&mut *state.readers.connection_for(caller).await?)
        .await
        .map_err(database_problem)?;
    let Some(first) = rows.first() else { return Ok(empty(state, Some(cart), at)) };
    let revision = parse_document::<CartRow>(&first.0)?.revision;
    let mut lines = Vec::with_capacity(rows.len());
    for (_, line, variant, available) in rows {
        let Some(line) = line else { continue };
        let variant = variant.map(|bytes| parse_document(&bytes)).transpose()?;
        lines.push(CartLineResponse::new(&parse_document(&line)?, variant, available.unwrap_or(0)));
    }
    let skus = lines.iter().map(|line| line.sku.as_str());
    let at = state.positions.include_joined(at, &["variants", "stock"], skus);
    let id = Some(cart.to_string());
    let total = total(state, &lines);
    let body = CartResponse { id, revision, lines, total, position: at.position.to_string() };
    Ok(Single { revision: Some(revision), parked_since: at.parked_since, body })
}

fn empty(state: &QueryState, cart: Option<CartId>, at: ReadAt) -> Single<CartResponse> {
    let id = cart.map(|cart| cart.to_string());
    let total = total(state, &[]);
    let body = CartResponse { id, revision: 0, lines: Vec::new(), total, position: at.position.to_string() };
    Single { revision: None, parked_since: at.parked_since, body }
}

/// Sum of the totals of the lines, which all have the same currency. If the sum does not fit in 64 bits, the
/// largest number is shown; an order with such a sum is refused.
fn total(state: &QueryState, lines: &[CartLineResponse]) -> MoneyShape {
    let nothing = MoneyShape::from(Money::zero(state.ports.currency));
    let currency = lines.first().map_or(nothing.currency, |line| line.line_total.currency.clone());
    let amount = lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.line_total.amount));
    MoneyShape { amount, currency }
}
