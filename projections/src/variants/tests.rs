use souk_domain::product::event::{Changed, Created, Variant, Withdrawn};

use super::*;
use crate::testing::{History, golden, pence, product, row, sku};

fn content(name: &str, skus: &[&str]) -> Content {
    let variant = |text: &&str| Variant {
        sku: sku(text),
        options: std::collections::BTreeMap::new(),
        price: pence(255),
        images: Vec::new(),
    };
    Content {
        name: name.to_owned(),
        description: String::new(),
        category: String::new(),
        attributes: Vec::new(),
        active: true,
        variants: skus.iter().map(variant).collect(),
    }
}

fn created(name: &str, skus: &[&str]) -> ProductEvent {
    Created { content: content(name, skus) }.into()
}

fn changed(name: &str, skus: &[&str], removed: &[&str]) -> ProductEvent {
    let removed_skus = removed.iter().map(|text| sku(text)).collect();
    Changed { content: content(name, skus), removed_skus }.into()
}

#[test]
fn golden() {
    let one = Product::stream(product(1));
    let other = Product::stream(product(2));
    let history = History::default()
        .then(&one, created("Lamp", &["A1", "B2"]))
        .then(&one, changed("Lamp II", &["A1"], &["B2"]))
        .then(&other, created("Shade", &["B2"]))
        .then(&one, ProductEvent::from(Withdrawn { removed_skus: vec![sku("A1")] }));
    golden!(Variants, history);
}

#[test]
fn a_withdrawn_sku_keeps_its_name_and_price() {
    let stream = Product::stream(product(1));
    let history = History::default()
        .then(&stream, created("Lamp", &["A1"]))
        .then(&stream, ProductEvent::from(Withdrawn { removed_skus: vec![sku("A1")] }));
    let row = row::<Variants>(&history, "A1").unwrap();
    assert_eq!((row.withdrawn, row.name.as_str(), row.price), (true, "Lamp", pence(255)));
}

#[test]
fn a_sku_that_moved_to_another_product_is_not_withdrawn_by_its_old_product() {
    let one = Product::stream(product(1));
    let other = Product::stream(product(2));
    let history = History::default()
        .then(&one, created("Lamp", &["A1", "B2"]))
        .then(&one, changed("Lamp", &["A1"], &["B2"]))
        .then(&other, created("Shade", &["B2"]))
        .then(&one, ProductEvent::from(Withdrawn { removed_skus: vec![sku("A1"), sku("B2")] }));
    let row = row::<Variants>(&history, "B2").unwrap();
    assert_eq!((row.withdrawn, row.product), (false, product(2)));
}

#[test]
fn a_sku_that_returns_to_its_product_is_no_longer_withdrawn() {
    let stream = Product::stream(product(1));
    let history = History::default()
        .then(&stream, created("Lamp", &["A1", "B2"]))
        .then(&stream, changed("Lamp", &["A1"], &["B2"]))
        .then(&stream, changed("Lamp", &["A1", "B2"], &[]));
    assert!(!row::<Variants>(&history, "B2").unwrap().withdrawn);
}
