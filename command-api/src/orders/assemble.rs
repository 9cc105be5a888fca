//! Makes the draft of an order from a request: checks the buyer, the texts and the lines, and looks up names
//! and prices.

use jiff::SignedDuration;
use souk_domain::limits::LINES_MAX;
use souk_domain::order::Draft;
use souk_domain::order::draft::DraftFields;
use souk_domain::order::event::OrderLine;
use souk_domain::text::rules::PAYMENT_TOKEN;
use souk_domain::{Address, CartId, CustomerId, Email, FieldError, OrderId, Sku};
use souk_eventsourcing::KeyRing;
use souk_http::shapes::read_text;
use souk_http::{Caller, Problem};

use crate::listing;
use crate::ports::Ports;

use super::request::{LineRequest, OrderRequest};

/// The buyer of an order, checked in the same way for an order from a cart and an order with explicit lines.
#[derive(Clone)]
pub struct Buyer {
    customer: Option<CustomerId>,
    email: Option<Email>,
}

impl Buyer {
    /// Returns true if a placed order has the same buyer.
    pub fn is_buyer_of(&self, draft: &Draft, keys: &KeyRing) -> bool {
        let email = self.email.as_ref().map(|email| email.as_str().to_owned());
        self.customer == draft.customer
            && is_same(email.as_ref(), draft.email.as_ref(), |email| email.reveal(keys))
    }
}

/// Returns true if a requested value equals the sealed value of an order, or if both are absent. An erased
/// value equals no requested value.
fn is_same<T: PartialEq, S>(
    requested: Option<&T>,
    sealed: Option<&S>,
    reveal: impl Fn(&S) -> Option<T>,
) -> bool {
    match (requested, sealed) {
        (Some(requested), Some(sealed)) => reveal(sealed).as_ref() == Some(requested),
        (None, None) => true,
        _ => false,
    }
}

/// Reads the buyer. A guest must send an e-mail address. An admin may order for a customer, or for no
/// customer.
pub fn buyer(caller: &Caller, request: &OrderRequest) -> Result<Buyer, Problem> {
    let email = request.email.as_ref().map(|email| email.read("/email")).transpose()?;
    let customer = match (&request.customer_id, caller.is_admin()) {
        (Some(id), true) => Some(
            CustomerId::parse(id)
                .map_err(|why| Problem::field("/customerId", "invalid-id", why.to_string()))?,
        ),
        (Some(_), false) => {
            return Err(Problem::new("forbidden", "only an admin may order for another customer"));
        }
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

/// Refuses too many lines before any of them is looked up.
pub fn check_count(lines: usize) -> Result<(), Problem> {
    if lines <= LINES_MAX {
        return Ok(());
    }
    let detail = format!("at most {LINES_MAX} lines are allowed; this request has {lines}");
    Err(Problem::field("/lines", "invalid-count", detail))
}

/// The shipping address and the payment token of a request, as they are stored.
#[derive(Clone)]
pub struct Texts {
    shipping_address: Option<Address>,
    payment_token: Option<String>,
}

impl Texts {
    /// Returns true if a placed order has the same shipping address and payment token.
    pub fn are_same_as(&self, draft: &Draft, keys: &KeyRing) -> bool {
        let address = draft.shipping_address.as_ref();
        let token = draft.payment_token.as_ref();
        is_same(self.shipping_address.as_ref(), address, |address| address.reveal(keys))
            && is_same(self.payment_token.as_ref(), token, |token| token.reveal(keys))
    }
}

/// Checks the shipping address and the payment token of a request before its lines are looked up.
pub fn texts(request: &OrderRequest) -> Result<Texts, Problem> {
    let address = request.shipping_address.clone();
    let shipping_address =
        address.map(|address| address.read("/shippingAddress")).transpose().map_err(Problem::fields)?;
    let payment = request.payment.as_ref();
    let payment_token =
        payment.map(|payment| read_text("/payment/token", &payment.token, &PAYMENT_TOKEN)).transpose()?;
    Ok(Texts { shipping_address, payment_token })
}

/// Assembles the draft of an order with these lines.
pub fn draft(
    ports: &Ports,
    order: OrderId,
    texts: Texts,
    buyer: Buyer,
    cart: Option<CartId>,
    lines: Vec<OrderLine>,
) -> Result<Draft, Problem> {
    let Texts { shipping_address, payment_token } = texts;
    let placed_at = ports.clock.now();
    let timeout = i64::try_from(ports.settings.payment_timeout.as_secs()).unwrap_or(i64::MAX);
    let Buyer { customer, email } = buyer;
    let pay_by = placed_at + SignedDuration::from_secs(timeout);
    let fields = DraftFields {
        order,
        customer,
        cart,
        email,
        shipping_address,
        lines,
        payment_token,
        placed_at,
        pay_by,
    };
    Draft::assemble(fields).map_err(Problem::fields)
}

/// Reads the explicit lines of a request. They get current prices, unless an admin sets other ones.
pub async fn lines(
    ports: &Ports,
    caller: &Caller,
    requested_lines: &[LineRequest],
) -> Result<Vec<OrderLine>, Problem> {
    let mut lines = Vec::with_capacity(requested_lines.len());
    let mut errors = Vec::new();
    for (index, line) in requested_lines.iter().enumerate() {
        match order_line(ports, caller, line, &format!("/lines/{index}")).await? {
            Ok(line) => lines.push(line),
            Err(error) => errors.push(error),
        }
    }
    let currency_errors = other_currencies(&lines).map(|(index, line, order_currency)| {
        let sku = &line.sku;
        let currency = line.unit_price.currency.code();
        let detail = format!(
            "SKU {sku} is priced in {currency}, but other lines are priced in {order_currency}: \
             order it separately"
        );
        FieldError::new(format!("/lines/{index}/sku"), "currency-mismatch", detail)
    });
    errors.extend(currency_errors);
    if errors.is_empty() { Ok(lines) } else { Err(Problem::fields(errors)) }
}

/// Returns the lines that are not in the currency of the order, each with its index and the currency of the
/// order. The currency of the order is that of the first line whose price still has the currency that the
/// buyer was shown. If there is no such line, it is that of the first line.
pub fn other_currencies(lines: &[OrderLine]) -> impl Iterator<Item = (usize, &OrderLine, &'static str)> {
    let is_as_shown =
        |line: &&OrderLine| line.shown_price.is_none_or(|shown| shown.currency == line.unit_price.currency);
    let first = lines.iter().find(is_as_shown).or(lines.first()).map(|line| line.unit_price.currency);
    lines.iter().enumerate().filter_map(move |(index, line)| {
        let order_currency = first.filter(|first| *first != line.unit_price.currency)?;
        Some((index, line, order_currency.code()))
    })
}

async fn order_line(
    ports: &Ports,
    caller: &Caller,
    request: &LineRequest,
    pointer: &str,
) -> Result<Result<OrderLine, FieldError>, Problem> {
    let sku = match Sku::parse(&request.sku) {
        Ok(sku) => sku,
        Err(why) => {
            return Ok(Err(FieldError::new(format!("{pointer}/sku"), "invalid-sku", why.to_string())));
        }
    };
    let Some(listed) = listing::find(ports, &sku).await? else {
        let detail = format!("SKU {sku} is not for sale");
        return Ok(Err(FieldError::new(format!("{pointer}/sku"), "unknown-sku", detail)));
    };
    let unit_price = match &request.unit_price {
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
            Err(error) => return Ok(Err(error)),
        },
    };
    let name = listed.state.name().to_owned();
    let product = listed.product;
    let quantity = request.quantity;
    Ok(Ok(OrderLine { sku, product, name, quantity, unit_price, shown_price: None }))
}
