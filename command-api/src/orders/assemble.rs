//! From a request to a draft: prices, names and everything that can be wrong with it.

use jiff::SignedDuration;
use souk_domain::limits::LINES_MAX;
use souk_domain::order::Draft;
use souk_domain::order::draft::Parts;
use souk_domain::order::event::OrderLine;
use souk_domain::text::rules::PAYMENT_TOKEN;
use souk_domain::{Address, CartId, CustomerId, Email, FieldError, OrderId, Sku};
use souk_eventsourcing::KeyRing;
use souk_http::shapes::read_text;
use souk_http::{Caller, Problem};

use crate::listing;
use crate::shop::Shop;

use super::request::{LineRequest, OrderRequest};

/// Who buys and what is common to orders from a cart and of explicit lines.
#[derive(Clone)]
pub struct Buyer {
    customer: Option<CustomerId>,
    email: Option<Email>,
}

impl Buyer {
    /// Returns true if an order that was placed is for the same buyer.
    pub fn is_of(&self, draft: &Draft, keys: &KeyRing) -> bool {
        let asked = self.email.as_ref().map(|email| email.as_str().to_owned());
        self.customer == draft.customer
            && is_same(asked.as_ref(), draft.email.as_ref(), |email| email.reveal(keys))
    }
}

/// Returns true if a value that is asked for is the one of an order, or neither is there. An erased one is none that
/// anybody asks for.
fn is_same<T: PartialEq, S>(asked: Option<&T>, known: Option<&S>, reveal: impl Fn(&S) -> Option<T>) -> bool {
    match (asked, known) {
        (Some(asked), Some(known)) => reveal(known).as_ref() == Some(asked),
        (None, None) => true,
        _ => false,
    }
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
        caller.signed_in_or_guest()?;
        if email.is_none() {
            return Err(Problem::field("/email", "missing", "a guest's order needs an e-mail address"));
        }
    }
    Ok(Buyer { customer, email })
}

/// Refuses too many lines, before any of them is looked up.
pub fn check_count(lines: usize) -> Result<(), Problem> {
    if lines <= LINES_MAX {
        return Ok(());
    }
    let detail = format!("at most {LINES_MAX} lines are allowed, this request has {lines}");
    Err(Problem::field("/lines", "invalid-count", detail))
}

/// The texts of a request for an order, as they are stored.
#[derive(Clone)]
pub struct Texts {
    shipping_address: Option<Address>,
    payment_token: Option<String>,
}

impl Texts {
    /// Returns true if an order that was placed has the same address and payment token.
    pub fn are_of(&self, draft: &Draft, keys: &KeyRing) -> bool {
        let address = draft.shipping_address.as_ref();
        let token = draft.payment_token.as_ref();
        is_same(self.shipping_address.as_ref(), address, |address| address.reveal(keys))
            && is_same(self.payment_token.as_ref(), token, |token| token.reveal(keys))
    }
}

/// Checks the texts of a request, before its lines are looked up.
pub fn texts(asked: &OrderRequest) -> Result<Texts, Problem> {
    let address = asked.shipping_address.clone();
    let shipping_address =
        address.map(|address| address.read("/shippingAddress")).transpose().map_err(Problem::fields)?;
    let payment = asked.payment.as_ref();
    let payment_token =
        payment.map(|payment| read_text("/payment/token", &payment.token, &PAYMENT_TOKEN)).transpose()?;
    Ok(Texts { shipping_address, payment_token })
}

/// The draft of an order from lines.
pub fn draft(
    shop: &Shop,
    order: OrderId,
    texts: Texts,
    buyer: Buyer,
    cart: Option<CartId>,
    lines: Vec<OrderLine>,
) -> Result<Draft, Problem> {
    let Texts { shipping_address, payment_token } = texts;
    let placed_at = shop.clock.now();
    let timeout = i64::try_from(shop.settings.payment_timeout.as_secs()).unwrap_or(i64::MAX);
    let Buyer { customer, email } = buyer;
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
    let wrong = other_currencies(&lines).map(|(index, line, others)| {
        let sku = &line.sku;
        let currency = line.unit_price.currency.code();
        let detail =
            format!("SKU {sku} is priced in {currency}, the other lines in {others}: order it by itself");
        FieldError::new(format!("/lines/{index}/sku"), "currency-mismatch", detail)
    });
    errors.extend(wrong);
    if errors.is_empty() { Ok(lines) } else { Err(Problem::fields(errors)) }
}

/// The lines that are not in the currency of the others, with their places and that currency: the one of a line whose
/// price is still in the currency that the buyer was shown.
pub fn other_currencies(lines: &[OrderLine]) -> impl Iterator<Item = (usize, &OrderLine, &'static str)> {
    let is_as_shown =
        |line: &&OrderLine| line.shown_price.is_none_or(|shown| shown.currency == line.unit_price.currency);
    let first = lines.iter().find(is_as_shown).or(lines.first()).map(|line| line.unit_price.currency);
    lines.iter().enumerate().filter_map(move |(index, line)| {
        let others = first.filter(|first| *first != line.unit_price.currency)?;
        Some((index, line, others.code()))
    })
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
    let product = listed.product;
    let quantity = asked.quantity;
    Ok(Ok(OrderLine { sku, product, name, quantity, unit_price, shown_price: None }))
}
