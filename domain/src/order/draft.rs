//! Assembles an order: merges lines, computes totals, and reports all errors at once.

use std::collections::HashMap;

use jiff::Timestamp;
use souk_eventsourcing::Personal;

use crate::address::Address;
use crate::email::Email;
use crate::field_error::FieldError;
use crate::limits::{LINE_UNITS_MAX, LINES_MAX, PRICE_MINOR_MAX, TOTAL_MINOR_MAX};
use crate::money::Money;
use crate::personal_text::PersonalText;
use crate::{CartId, CustomerId, OrderId, Sku};

use super::event::{Draft, OrderLine};

/// Fields that an order is assembled from.
#[derive(Clone, Debug)]
pub struct DraftFields {
    /// Id of the order.
    pub order: OrderId,
    /// Customer who buys; `None` for a guest.
    pub customer: Option<CustomerId>,
    /// Cart that the order comes from.
    pub cart: Option<CartId>,
    /// E-mail address of a guest.
    pub email: Option<Email>,
    /// Shipping address.
    pub shipping_address: Option<Address>,
    /// Lines as the buyer requested them.
    pub lines: Vec<OrderLine>,
    /// The payment provider's token.
    pub payment_token: Option<String>,
    /// Time of the buyer's request.
    pub placed_at: Timestamp,
    /// Time at which the wait for payment ends.
    pub pay_by: Timestamp,
}

impl Draft {
    /// Merges lines of the same SKU and price, computes the total, and checks every limit.
    pub fn assemble(fields: DraftFields) -> Result<Self, Vec<FieldError>> {
        check_lines(&fields.lines)?;
        let lines = merged(fields.lines);
        let person = Self::person_of(fields.order, fields.customer.as_ref());
        let total = total_of(&lines).ok_or_else(|| {
            let detail = format!("an order's total is at most {TOTAL_MINOR_MAX} minor units");
            vec![FieldError::new("/lines", "total-too-large", detail)]
        })?;
        Ok(Self {
            order: fields.order,
            code: order_code(fields.order),
            customer: fields.customer,
            cart: fields.cart,
            email: fields
                .email
                .map(|email| Personal::new(person.clone(), "email", email.as_str().to_owned())),
            email_hash: None,
            shipping_address: fields
                .shipping_address
                .map(|address| Personal::new(person.clone(), "shippingAddress", address)),
            lines,
            charges: Vec::new(),
            total,
            payment_token: fields
                .payment_token
                .map(|token| PersonalText::from(token).of(&person, "paymentToken")),
            placed_at: fields.placed_at,
            pay_by: fields.pay_by,
        })
    }

    /// Returns the units to reserve: each SKU once, in the order of the lines.
    pub fn reservations(&self) -> Vec<(Sku, u32)> {
        let mut reservations: Vec<(Sku, u32)> = Vec::new();
        let mut places: HashMap<&Sku, usize> = HashMap::new();
        for line in &self.lines {
            let place = *places.entry(&line.sku).or_insert(reservations.len());
            if place == reservations.len() {
                reservations.push((line.sku.clone(), 0));
            }
            // `assemble` limits the units of a SKU, so the sum never saturates.
            reservations[place].1 = reservations[place].1.saturating_add(line.quantity);
        }
        reservations
    }

    /// Returns the number of units of all lines.
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }
}

fn check_lines(lines: &[OrderLine]) -> Result<(), Vec<FieldError>> {
    if !(1..=LINES_MAX).contains(&lines.len()) {
        let detail = format!("an order has 1 to {LINES_MAX} lines, but this one has {}", lines.len());
        return Err(vec![FieldError::new("/lines", "invalid-count", detail)]);
    }
    let mut errors = Vec::new();
    let mut units: HashMap<&Sku, u64> = HashMap::new();
    for (index, line) in lines.iter().enumerate() {
        let at = |field: &str| format!("/lines/{index}/{field}");
        let sum = units.entry(&line.sku).or_default();
        *sum += u64::from(line.quantity);
        if line.quantity == 0 || *sum > u64::from(LINE_UNITS_MAX) {
            let detail = format!("1 to {LINE_UNITS_MAX} units of one SKU are allowed");
            errors.push(FieldError::new(at("quantity"), "out-of-range", detail));
        }
        if !(0..=PRICE_MINOR_MAX).contains(&line.unit_price.amount) {
            let detail = format!("0 to {PRICE_MINOR_MAX} minor units are allowed");
            errors.push(FieldError::new(at("unitPrice/amount"), "out-of-range", detail));
        }
        if line.unit_price.currency != lines[0].unit_price.currency {
            let detail = "all lines of an order are priced in one currency";
            errors.push(FieldError::new(at("unitPrice/currency"), "currency-mismatch", detail));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn merged(lines: Vec<OrderLine>) -> Vec<OrderLine> {
    let mut merged: Vec<OrderLine> = Vec::with_capacity(lines.len());
    let mut places: HashMap<(Sku, i64), usize> = HashMap::with_capacity(lines.len());
    for line in lines {
        let place = *places.entry((line.sku.clone(), line.unit_price.amount)).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(same) => same.quantity += line.quantity,
            None => merged.push(line),
        }
    }
    merged
}

fn total_of(lines: &[OrderLine]) -> Option<Money> {
    let zero = Money::zero(lines.first()?.unit_price.currency);
    let sum = |total: Money, line: &OrderLine| total.plus(line.unit_price.times(line.quantity).ok()?).ok();
    lines.iter().try_fold(zero, sum).filter(|total| total.amount <= TOTAL_MINOR_MAX)
}

/// Digits of Crockford's base 32, which omits letters that look like other characters.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns the order code for people, such as `SK-7F3K-9QXM`: 40 bits of a hash of the id.
pub fn order_code(order: OrderId) -> String {
    let hash = blake3::hash(order.0.as_bytes());
    let mut code = String::from("SK");
    let mut bits = hash.as_bytes()[..5].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    for place in 0..8 {
        if place % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(DIGITS[(bits & 31) as usize]));
        bits >>= 5;
    }
    code
}

#[cfg(test)]
impl DraftFields {
    /// Returns the fields of an example order without lines.
    pub(crate) fn example(order: OrderId) -> Self {
        use souk_eventsourcing::testkit::noon;
        Self {
            order,
            customer: None,
            cart: None,
            email: None,
            shipping_address: None,
            lines: Vec::new(),
            payment_token: Some("tok_ok".to_owned()),
            placed_at: noon(),
            pay_by: noon() + jiff::SignedDuration::from_secs(900),
        }
    }
}
