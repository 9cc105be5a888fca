//! Drafts of orders of all kinds: with one or more lines, with and without a cart, with every payment token.

use jiff::{SignedDuration, Timestamp};
use souk_domain::order::Draft;
use souk_domain::order::draft::DraftFields;
use souk_domain::order::event::OrderLine;
use souk_domain::{Address, CartId, Currency, CustomerId, Email, Money, OrderId, ProductId, Sku};
use uuid::Uuid;

use crate::provider::TOKENS;

/// Text that is part of all personal data. Tests search for it to find data that should be sealed.
pub const NAME: &str = "lovelace";

/// Returns the SKU with this number.
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

/// Returns an address that has the name in each personal part.
pub fn address(name: &str) -> Address {
    let country = "GB".to_owned();
    Address { name: name.to_owned(), line1: format!("1 {name} Lane"), country, ..Address::default() }
}

/// Returns the draft of order number `n`. `variant` selects its lines, its payment token and its address.
pub fn draft(
    n: usize,
    variant: u8,
    customer: Option<CustomerId>,
    cart: Option<CartId>,
    now: Timestamp,
) -> Draft {
    let first_quantity = u32::from(variant % 3) + 1;
    let second_quantity = u32::from(variant / 3 % 4) + 1;
    let mut lines = vec![line(0, first_quantity, 250)];
    if variant.is_multiple_of(2) {
        lines.push(line(1, second_quantity, 100));
    }
    if variant.is_multiple_of(5) && cart.is_none() {
        // The same SKU at another price: two lines, but one reservation.
        lines.push(line(0, 1, 199));
    }
    let order = OrderId(Uuid::from_u128(0x1000 + n as u128));
    let payment_token =
        (variant % 4 != 3).then(|| TOKENS[usize::from(variant / 4) % TOKENS.len()].to_owned());
    let pay_by = now + SignedDuration::from_secs(900);
    let email = customer.is_none().then(|| Email::parse(&format!("{NAME}-{n}@example.com")).unwrap());
    let shipping_address = variant.is_multiple_of(3).then(|| address(NAME));
    let fields = DraftFields {
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
    Draft::assemble(fields).unwrap()
}
