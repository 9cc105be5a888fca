use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use souk_eventsourcing::testkit::{context, fold, given, noon};

use super::event::{Attribute, AttributeKind, Changed, Created, Variant, Withdrawn};
use super::*;
use crate::limits::PRICE_MINOR_MAX;
use crate::money::{Currency, Money};
use crate::names::Sku;

fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

fn variant(text: &str, pence: i64) -> Variant {
    let price = Money::new(pence, Currency::GBP);
    Variant { sku: sku(text), options: BTreeMap::new(), price, images: Vec::new() }
}

fn content(name: &str, variants: Vec<Variant>) -> Content {
    Content {
        name: name.into(),
        description: String::new(),
        category: "home/lighting".into(),
        attributes: Vec::new(),
        active: true,
        variants,
    }
}

fn lamp() -> Content {
    content("Lamp", vec![variant("L1", 500), variant("L2", 700)])
}

fn created(content: Content) -> ProductEvent {
    Created { content }.into()
}

#[test]
fn a_product_is_created_with_what_is_said_of_it() {
    given::<Product>(&[]).when(&ProductCommand::Create(lamp())).then(&[created(lamp())]);
    given::<Product>(&[created(lamp())]).when(&ProductCommand::Create(lamp())).then_nothing();
    let other = content("Rug", vec![variant("R1", 1)]);
    given::<Product>(&[created(lamp())]).when(&ProductCommand::Create(other)).then_refused("product-exists");
}

#[test]
fn replacing_names_the_skus_that_go() {
    let next = content("Lamp", vec![variant("L2", 700), variant("L3", 900)]);
    let changed = Changed { content: next.clone(), removed_skus: vec![sku("L1")] };
    given::<Product>(&[created(lamp())]).when(&ProductCommand::Replace(next)).then(&[changed.into()]);
}

#[test]
fn replacing_with_the_same_does_nothing() {
    given::<Product>(&[created(lamp())]).when(&ProductCommand::Replace(lamp())).then_nothing();
}

#[test]
fn a_withdrawn_product_stays_withdrawn() {
    let withdrawn: ProductEvent = Withdrawn { removed_skus: vec![sku("L1"), sku("L2")] }.into();
    given::<Product>(&[created(lamp())]).when(&ProductCommand::Withdraw).then(&[withdrawn.clone()]);
    let gone = [created(lamp()), withdrawn];
    given::<Product>(&gone).when(&ProductCommand::Withdraw).then_nothing();
    given::<Product>(&gone).when(&ProductCommand::Replace(lamp())).then_refused("product-withdrawn");
    let state = fold::<Product>(&gone);
    assert!(state.is_withdrawn() && !state.is_listed() && state.skus().next().is_none());
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    given::<Product>(&[]).when(&ProductCommand::Replace(lamp())).then_refused("product-not-found");
    given::<Product>(&[]).when(&ProductCommand::Withdraw).then_refused("product-not-found");
}

#[test]
fn everything_wrong_is_said_at_once_with_its_place() {
    let mut bad = content(" ", vec![variant("A", -1), variant("A", PRICE_MINOR_MAX + 1), variant("B", 1)]);
    bad.variants[2].price.currency = Currency::EUR;
    let value = "x".repeat(9_000);
    bad.attributes.push(Attribute { name: "a/b".into(), kind: AttributeKind::Text, value });
    let errors = bad.check().unwrap_err();
    let pointers: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
    let expected = [
        "/name",
        "/attributes/a~1b",
        "/variants/0/price/amount",
        "/variants/1/sku",
        "/variants/1/price/amount",
        "/variants/2/price/currency",
    ];
    assert_eq!(pointers, expected);
    given::<Product>(&[]).when(&ProductCommand::Create(bad)).then_refused("validation-failed");
}

proptest! {
    /// Against a plain model: the set of SKUs, or none once withdrawn.
    #[test]
    fn a_product_owns_just_the_skus_it_last_said(sets in prop::collection::vec(prop::collection::btree_set(0..6_u8, 0..4), 1..12)) {
        let mut state = ProductState::default();
        let mut model: Option<BTreeSet<u8>> = None;
        let mut withdrawn = false;
        for set in sets {
            let variants = set.iter().map(|n| variant(&n.to_string(), i64::from(*n))).collect::<Vec<_>>();
            let command = match (&model, set.is_empty()) {
                (Some(_), true) => ProductCommand::Withdraw,
                (Some(_), false) => ProductCommand::Replace(content("Lamp", variants)),
                (None, _) => ProductCommand::Create(content("Lamp", variants)),
            };
            let Ok(events) = Product::decide(&state, &command, &context(1, noon())) else {
                prop_assert!(set.is_empty() || withdrawn);
                continue;
            };
            withdrawn |= matches!(command, ProductCommand::Withdraw);
            model = Some(if withdrawn { BTreeSet::new() } else { set });
            state = events.iter().fold(state, Product::evolve);
            let skus: Vec<String> = state.skus().map(ToString::to_string).collect();
            let expected: Vec<String> = model.iter().flatten().map(ToString::to_string).collect();
            prop_assert_eq!(skus, expected);
        }
    }
}
