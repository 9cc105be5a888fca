//! Orders of all kinds: of one line and of several, from a cart or not, paid in every way.

use jiff::{SignedDuration, Timestamp};
use souk_domain::order::Draft;
use souk_domain::order::draft::Parts;
use souk_domain::order::event::OrderLine;
use souk_domain::{Address, CartId, Currency, CustomerId, Email, Money, OrderId, ProductId, Sku};
use uuid::Uuid;

use crate::provider::TOKENS;

/// What everything that tells about a person has in it.
pub const NAME: &str = "lovelace";

/// The SKU with a number.
pub fn sku(n: u32) -> Sku {
    Sku::parse(&format!("sku-{n}")).unwrap()
}

fn pence(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

fn line(n: u32, quantity: u32, price: i64) -> OrderLine {
    let product = ProductId(Uuid::from_u128(u128::from(n)));
    let name = format!("Goods {n}");
    let unit_price = pence(price);
    OrderLine { sku: sku(n), product, name, quantity, unit_price, shown_price: None }
}

/// Somebody's address, whose every part is about a person.
pub fn address(name: &str) -> Address {
    let country = "GB".to_owned();
    Address { name: name.to_owned(), line1: format!("1 {name} Lane"), country, ..Address::default() }
}

/// Makes the draft of an order; `how` chooses its lines, its payment token and its address.
pub fn draft(n: usize, how: u8, customer: Option<CustomerId>, cart: Option<CartId>, now: Timestamp) -> Draft {
    let (few, many) = (u32::from(how % 3) + 1, u32::from(how / 3 % 4) + 1);
    let mut lines = vec![line(0, few, 250)];
    if how.is_multiple_of(2) {
        lines.push(line(1, many, 100));
    }
    if how.is_multiple_of(5) && cart.is_none() {
        // The same goods at another price: two lines, one reservation.
        lines.push(line(0, 1, 199));
    }
    let order = OrderId(Uuid::from_u128(0x1000 + n as u128));
    let payment_token = (how % 4 != 3).then(|| TOKENS[usize::from(how / 4) % TOKENS.len()].to_owned());
    let pay_by = now + SignedDuration::from_secs(900);
    let email = customer.is_none().then(|| Email::parse(&format!("{NAME}-{n}@example.com")).unwrap());
    let shipping_address = how.is_multiple_of(3).then(|| address(NAME));
    let parts = Parts {
        order,
        customer,
        cart,
        email,
        shipping_address,
        lines,
        payment_token,
        placed_at: now,
        pay_by,
    };
    Draft::assemble(parts).unwrap()
}
