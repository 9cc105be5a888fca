//! From a request to a draft: prices, names and everything that can be wrong with it.

use jiff::SignedDuration;
use souk_domain::order::Draft;
use souk_domain::order::draft::Parts;
use souk_domain::order::event::OrderLine;
use souk_domain::{CartId, CustomerId, Email, FieldError, OrderId, Sku};
use souk_web::shapes::check_text;
use souk_web::{Caller, Problem};

use crate::listing;
use crate::shop::Shop;

use super::request::{LineRequest, OrderRequest};

/// Characters of a payment token.
pub const TOKEN_CHARS_MAX: usize = 200;

/// Who buys and what is common to orders from a cart and of explicit lines.
pub struct Buyer {
    customer: Option<CustomerId>,
    email: Option<Email>,
}

/// Who buys. Guests name an e-mail address; an admin may order for somebody, or for nobody in particular.
pub fn buyer(caller: &Caller, asked: &OrderRequest) -> Result<Buyer, Problem> {
    let email = asked.email.as_ref().map(|email| email.read("/email")).transpose()?;
    let customer = match (&asked.customer_id, caller.is_admin()) {
        (Some(id), true) => Some(
            CustomerId::parse(id)
                .map_err(|why| Problem::field("/customerId", "invalid-id", why.to_string()))?,
        ),
        (Some(_), false) => return Err(Problem::new("forbidden", "only an admin may order for somebody")),
        (None, true) => None,
        (None, false) => caller.subject.clone(),
    };
    if caller.subject.is_none() {
        if caller.cart.is_none() {
            return Err(Problem::new("unauthenticated", "a guest orders with `X-Cart-Token`"));
        }
        if email.is_none() {
            return Err(Problem::field("/email", "missing", "a guest's order needs an e-mail address"));
        }
    }
    Ok(Buyer { customer, email })
}

/// The draft of an order from lines.
pub fn draft(
    shop: &Shop,
    order: OrderId,
    asked: &OrderRequest,
    buyer: Buyer,
    cart: Option<CartId>,
    lines: Vec<OrderLine>,
) -> Result<Draft, Problem> {
    let shipping_address = match asked.shipping_address.clone() {
        Some(address) => Some(address.read("/shippingAddress").map_err(Problem::fields)?),
        None => None,
    };
    let payment_token = asked.payment.as_ref().map(|payment| payment.token.clone());
    if let Some(token) = &payment_token {
        check_text("/payment/token", token, 1, TOKEN_CHARS_MAX)?;
    }
    let placed_at = shop.clock.now();
    let timeout = i64::try_from(shop.settings.payment_timeout.as_secs()).unwrap_or(i64::MAX);
    let hashed = |email: Email| {
        let hash = email.hash(&shop.keys.email_hash);
        (email, hash)
    };
    let (customer, email) = (buyer.customer, buyer.email.map(hashed));
    let pay_by = placed_at + SignedDuration::from_secs(timeout);
    let parts =
        Parts { order, customer, cart, email, shipping_address, lines, payment_token, placed_at, pay_by };
    Draft::assemble(parts).map_err(Problem::fields)
}

/// Explicit lines, with today's prices unless an admin sets others.
pub async fn lines(shop: &Shop, caller: &Caller, asked: &[LineRequest]) -> Result<Vec<OrderLine>, Problem> {
    let (mut lines, mut errors) = (Vec::with_capacity(asked.len()), Vec::new());
    for (index, line) in asked.iter().enumerate() {
        match order_line(shop, caller, line, &format!("/lines/{index}")).await? {
            Ok(line) => lines.push(line),
            Err(wrong) => errors.push(wrong),
        }
    }
    if errors.is_empty() { Ok(lines) } else { Err(Problem::fields(errors)) }
}

async fn order_line(
    shop: &Shop,
    caller: &Caller,
    asked: &LineRequest,
    pointer: &str,
) -> Result<Result<OrderLine, FieldError>, Problem> {
    let sku = match Sku::parse(&asked.sku) {
        Ok(sku) => sku,
        Err(why) => {
            return Ok(Err(FieldError::new(format!("{pointer}/sku"), "invalid-sku", why.to_string())));
        }
    };
    let Some(listed) = listing::find(shop, &sku).await? else {
        let detail = format!("SKU {sku} is not for sale");
        return Ok(Err(FieldError::new(format!("{pointer}/sku"), "unknown-sku", detail)));
    };
    let unit_price = match &asked.unit_price {
        None => listed.price,
        Some(_) if !caller.is_admin() => {
            return Err(Problem::new("forbidden", "only an admin may set a price"));
        }
        Some(price) => match price.read(&format!("{pointer}/unitPrice")) {
            Ok(price) if price.currency == listed.price.currency => price,
            Ok(_) => {
                let detail = format!("SKU {sku} is sold in {}", listed.price.currency.code());
                let pointer = format!("{pointer}/unitPrice/currency");
                return Ok(Err(FieldError::new(pointer, "currency-mismatch", detail)));
            }
            Err(wrong) => return Ok(Err(wrong)),
        },
    };
    let name = listed.state.name().to_owned();
    Ok(Ok(OrderLine { sku, product: listed.product, name, quantity: asked.quantity, unit_price }))
}
