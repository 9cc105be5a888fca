//! Checks of the demo catalogue: every line is a product that can be sold.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{assert_none, text};

/// The faults of a line. `skus` collects the SKUs of the lines before it.
fn faults(line: &str, skus: &mut BTreeSet<String>) -> Vec<String> {
    let Ok(product) = serde_json::from_str::<Value>(line) else { return vec!["no JSON".to_owned()] };
    let mut found = Vec::new();
    for name in ["name", "description", "category"] {
        if product[name].as_str().is_none_or(|text| text.trim().is_empty()) {
            found.push(format!("no {name}"));
        }
    }
    let variants = product["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
    if variants.is_empty() {
        found.push("no variants".to_owned());
    }
    for variant in variants {
        let sku = variant["sku"].as_str().unwrap_or_default().to_owned();
        if variant["price"]["amount"].as_i64().is_none_or(|pence| pence < 1)
            || variant["price"]["currency"] != "GBP"
        {
            found.push(format!("{sku}: no price"));
        }
        if product["stock"][&sku].as_u64().is_none_or(|units| units == 0) {
            found.push(format!("{sku}: no stock"));
        }
        if !skus.insert(sku.clone()) {
            found.push(format!("{sku} is listed twice"));
        }
    }
    found
}

#[test]
fn every_product_of_the_demo_catalogue_can_be_sold() {
    let catalogue = text(Path::new("demo/catalogue.jsonl")).expect("the catalogue is text");
    let mut skus = BTreeSet::new();
    let mut findings = Vec::new();
    for (index, line) in catalogue.lines().enumerate() {
        findings.extend(faults(line, &mut skus).iter().map(|fault| format!("line {}: {fault}", index + 1)));
    }
    assert_none(&findings);
    assert_eq!(catalogue.lines().count(), 40);
}

#[test]
fn a_product_that_cannot_be_sold_is_found() {
    let mut skus = BTreeSet::from(["A".to_owned()]);
    let line = r#"{"name":"x","description":"","category":"c","variants":[{"sku":"A","price":{"amount":0,"currency":"GBP"}}],"stock":{}}"#;
    let found = faults(line, &mut skus);
    assert_eq!(found, ["no description", "A: no price", "A: no stock", "A is listed twice"]);
    assert_eq!(faults("{", &mut skus), ["no JSON"]);
}
