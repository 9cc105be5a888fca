//! Ids and values of examples. Equal numbers give equal ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use souk_domain::order::event::{Draft, OrderLine};
use souk_domain::product::Content;
use souk_domain::product::event::Variant;
use souk_domain::{CartId, Currency, CustomerId, Money, OrderId, ProductId, Sku};
use souk_eventsourcing::Timestamp;
use souk_eventsourcing::testkit::noon;
use uuid::Uuid;

/// Returns a time after noon.
pub fn later(minutes: i64) -> Timestamp {
    noon() + jiff::SignedDuration::from_mins(minutes)
}

/// Returns an amount of pounds sterling, given in minor units.
pub fn pence(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

/// Parses a SKU.
pub fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

/// Parses the id of a customer.
pub fn customer_id(text: &str) -> CustomerId {
    CustomerId::parse(text).unwrap()
}

/// Returns the id of the product with this number.
pub fn product_id(number: u128) -> ProductId {
    ProductId(Uuid::from_u128(number))
}

/// Returns the id of the order with this number.
pub fn order_id(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

/// Returns the id of the guest's cart with this number.
pub fn cart_id(number: u128) -> CartId {
    CartId(Uuid::from_u128(number))
}

/// Returns the request body of a product with one variant. The amount is in pence.
pub fn product_body(sku: &str, amount: i64) -> Value {
    json!({"name": format!("A {sku}"), "sku": sku, "price": {"amount": amount, "currency": "GBP"}})
}

/// Returns the content of an active product with these variants, given by SKU and price in pence.
pub fn content(name: &str, category: &str, variants: &[(&str, i64)]) -> Content {
    let variant = |(text, amount): &(&str, i64)| Variant {
        sku: sku(text),
        options: BTreeMap::new(),
        price: pence(*amount),
        images: Vec::new(),
    };
    Content {
        name: name.to_owned(),
        description: String::new(),
        category: category.to_owned(),
        attributes: Vec::new(),
        active: true,
        variants: variants.iter().map(variant).collect(),
    }
}

/// Returns the draft of an order with one line for each SKU: one unit at £1.
pub fn draft(number: u128, buyer: Option<&str>, skus: &[&str]) -> Draft {
    let line = |text: &&str| OrderLine {
        sku: sku(text),
        product: product_id(1),
        name: format!("Thing {text}"),
        quantity: 1,
        unit_price: pence(100),
        shown_price: None,
    };
    Draft {
        order: order_id(number),
        code: format!("SK-{number:04}"),
        customer: buyer.map(customer_id),
        cart: None,
        email: None,
        email_hash: None,
        shipping_address: None,
        lines: skus.iter().map(line).collect(),
        charges: Vec::new(),
        total: pence(100 * i64::try_from(skus.len()).unwrap()),
        payment_token: None,
        placed_at: noon(),
        pay_by: later(15),
    }
}
