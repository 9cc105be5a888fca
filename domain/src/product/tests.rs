use std::collections::BTreeMap;
use std::slice::from_ref;

use souk_eventsourcing::testkit::{fold, given};

use super::event::{Attribute, AttributeKind, Changed, Created, Fenced, Variant, Withdrawn};
use super::*;
use crate::Sku;
use crate::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, DESCRIPTION_BYTES_MAX, NAME_CHARS_MAX, OPTIONS_MAX, PRICE_MINOR_MAX,
    TEXT_CHARS_MAX, VARIANTS_MAX,
};
use crate::money::{Currency, Money};

pub(super) fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

pub(super) fn variant(text: &str, pence: i64) -> Variant {
    let price = Money::new(pence, Currency::GBP);
    Variant { sku: sku(text), options: BTreeMap::new(), price, images: Vec::new() }
}

pub(super) fn content(name: &str, variants: Vec<Variant>) -> Content {
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

pub(super) fn create(content: Content) -> ProductCommand {
    ProductCommand::Create { content, epoch: 0 }
}

fn replace(content: Content) -> ProductCommand {
    replace_in(content, 0)
}

pub(super) fn replace_in(content: Content, epoch: u64) -> ProductCommand {
    ProductCommand::Replace { content, epoch }
}

fn created(content: Content) -> ProductEvent {
    Created { content }.into()
}

#[test]
fn a_product_is_created_once() {
    given::<Product>(&[]).when(&create(lamp())).then(&[created(lamp())]);
    given::<Product>(&[created(lamp())]).when(&create(lamp())).then_nothing();
    let other = content("Rug", vec![variant("R1", 1)]);
    given::<Product>(&[created(lamp())]).when(&create(other)).then_refused("product-exists");
}

// Proves: products.replacing
#[test]
fn replacing_the_content_records_the_removed_skus() {
    let next = content("Lamp", vec![variant("L2", 700), variant("L3", 900)]);
    let changed = Changed { content: next.clone(), removed_skus: vec![sku("L1")] };
    given::<Product>(&[created(lamp())]).when(&replace(next)).then(&[changed.into()]);
}

// Proves: common.unchanged-write
#[test]
fn replacing_with_the_same_content_does_nothing() {
    given::<Product>(&[created(lamp())]).when(&replace(lamp())).then_nothing();
}

// Proves: products.interrupted-writes
#[test]
fn a_write_in_an_epoch_that_has_ended_is_refused() {
    let fence = |text| ProductCommand::Fence { sku: sku(text) };
    let fenced: ProductEvent = Fenced { sku: sku("L9") }.into();
    given::<Product>(&[]).when(&fence("L9")).then(from_ref(&fenced));
    given::<Product>(&[created(lamp())]).when(&fence("L1")).then_nothing();
    given::<Product>(from_ref(&fenced)).when(&create(lamp())).then_refused("revision-conflict");
    let in_time = ProductCommand::Create { content: lamp(), epoch: 1 };
    given::<Product>(&[fenced]).when(&in_time).then(&[created(lamp())]);
    let smaller = content("Lamp", vec![variant("L2", 700)]);
    let changed: ProductEvent = Changed { content: smaller, removed_skus: vec![sku("L1")] }.into();
    let history = [created(lamp()), changed];
    given::<Product>(&history).when(&replace(lamp())).then_refused("revision-conflict");
    let again: ProductEvent = Changed { content: lamp(), removed_skus: Vec::new() }.into();
    given::<Product>(&history).when(&replace_in(lamp(), 1)).then(&[again]);
}

// Proves: products.withdrawing
#[test]
fn a_withdrawn_product_stays_withdrawn() {
    let withdrawn: ProductEvent = Withdrawn { removed_skus: vec![sku("L1"), sku("L2")] }.into();
    given::<Product>(&[created(lamp())]).when(&ProductCommand::Withdraw).then(from_ref(&withdrawn));
    let gone = [created(lamp()), withdrawn];
    given::<Product>(&gone).when(&ProductCommand::Withdraw).then_nothing();
    given::<Product>(&gone).when(&replace(lamp())).then_refused("product-withdrawn");
    given::<Product>(&gone).when(&create(lamp())).then_refused("product-exists");
    let state = fold::<Product>(&gone);
    assert!(state.is_withdrawn() && !state.is_listed() && state.skus().next().is_none());
}

#[test]
fn a_product_that_does_not_exist_cannot_be_changed() {
    given::<Product>(&[]).when(&replace(lamp())).then_refused("product-not-found");
    given::<Product>(&[]).when(&ProductCommand::Withdraw).then_refused("product-not-found");
}

#[test]
fn all_errors_are_reported_at_once_with_their_pointers() {
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
    given::<Product>(&[]).when(&create(bad)).then_refused("validation-failed");
}

/// Returns the pointers and codes of the errors in a lamp's content after a change to it.
fn wrong_after(change: impl FnOnce(&mut Content)) -> Vec<(String, &'static str)> {
    let mut content = lamp();
    change(&mut content);
    let errors = content.check().err().unwrap_or_default();
    errors.into_iter().map(|error| (error.pointer, error.code)).collect()
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: name.into(), kind: AttributeKind::Text, value: value.into() }
}

fn numbered(count: usize, variant_of: impl Fn(usize) -> Variant) -> Vec<Variant> {
    (0..count).map(variant_of).collect()
}

#[test]
fn control_characters_are_allowed_in_attribute_values_but_not_in_names() {
    assert_eq!(wrong_after(|lamp| lamp.name = "a\0".into()), [("/name".into(), "invalid-character")]);
    assert!(
        wrong_after(|lamp| lamp.attributes.push(attribute("benefits", "bright \u{97} and warm"))).is_empty()
    );
}

// Proves: products.product-limits
#[test]
fn texts_are_accepted_up_to_their_limits() {
    let at = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    assert_eq!(wrong_after(|lamp| lamp.name = "é".repeat(NAME_CHARS_MAX)), []);
    assert_eq!(wrong_after(|lamp| lamp.name = "é".repeat(NAME_CHARS_MAX + 1)), at("/name", "invalid-length"));
    assert_eq!(wrong_after(|lamp| lamp.description = "x".repeat(DESCRIPTION_BYTES_MAX)), []);
    let wrong = wrong_after(|lamp| lamp.description = "x".repeat(DESCRIPTION_BYTES_MAX + 1));
    assert_eq!(wrong, at("/description", "too-long"));
    assert_eq!(wrong_after(|lamp| lamp.category = "x".repeat(TEXT_CHARS_MAX)), []);
    assert_eq!(
        wrong_after(|lamp| lamp.category = "x".repeat(TEXT_CHARS_MAX + 1)),
        at("/category", "too-long")
    );
}

// Proves: products.product-limits
#[test]
fn attributes_are_limited_and_have_unique_names() {
    let at = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    let many = |count: usize| {
        move |lamp: &mut Content| {
            lamp.attributes = (0..count).map(|n| attribute(&n.to_string(), "x")).collect();
        }
    };
    assert_eq!(wrong_after(many(ATTRIBUTES_MAX)), []);
    assert_eq!(wrong_after(many(ATTRIBUTES_MAX + 1)), at("/attributes", "too-many"));
    let twice = wrong_after(|lamp| lamp.attributes = vec![attribute("size", "M"), attribute("size", "L")]);
    assert_eq!(twice, at("/attributes/size", "duplicate-name"));
    let value = "x".repeat(ATTRIBUTE_BYTES_MAX + 1);
    assert_eq!(
        wrong_after(|lamp| lamp.attributes = vec![attribute("a", &value)]),
        at("/attributes/a", "too-long")
    );
    assert_eq!(
        wrong_after(|lamp| lamp.attributes = vec![attribute("", "x")]),
        at("/attributes/", "invalid-name")
    );
}

#[test]
fn options_are_limited() {
    let at = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    let many = |count: usize| {
        move |lamp: &mut Content| {
            lamp.variants[1].options = (0..count).map(|n| (n.to_string(), "x".into())).collect();
        }
    };
    assert_eq!(wrong_after(many(OPTIONS_MAX)), []);
    assert_eq!(wrong_after(many(OPTIONS_MAX + 1)), at("/variants/1/options", "too-many"));
    let one = |name: &str, value: String| {
        wrong_after(|lamp| drop(lamp.variants[1].options.insert(name.to_owned(), value)))
    };
    assert_eq!(one("size", "x".repeat(TEXT_CHARS_MAX)), []);
    assert_eq!(one("a/b", "x".repeat(TEXT_CHARS_MAX + 1)), at("/variants/1/options/a~1b", "too-long"));
    assert_eq!(one(" ", "M".into()), at("/variants/1/options/ ", "invalid-name"));
}

// Proves: products.product-limits
#[test]
fn a_product_has_between_one_and_the_maximum_number_of_variants() {
    let count = |count| wrong_after(|lamp| lamp.variants = numbered(count, |n| variant(&format!("S{n}"), 0)));
    assert_eq!(count(VARIANTS_MAX), []);
    for wrong in [0, VARIANTS_MAX + 1] {
        assert_eq!(count(wrong), [("/variants".to_owned(), "invalid-count")]);
    }
}

// Proves: products.product-limits
#[test]
fn a_price_may_be_zero_but_not_negative() {
    assert_eq!(wrong_after(|lamp| lamp.variants[0].price.amount = 0), []);
    let wrong = wrong_after(|lamp| lamp.variants[0].price.amount = -1);
    assert_eq!(wrong, [("/variants/0/price/amount".to_owned(), "out-of-range")]);
}

#[test]
fn any_change_of_content_is_noticed() {
    let state = fold::<Product>(&[created(lamp())]);
    assert!(state.has_content(&lamp()));
    let changes: [fn(&mut Content); 4] = [
        |lamp| lamp.description.push('x'),
        |lamp| lamp.attributes.push(attribute("colour", "white")),
        |lamp| lamp.active = false,
        |lamp| lamp.variants[0].images.push("https://example.org/lamp.png".into()),
    ];
    for change in changes {
        let mut changed = lamp();
        change(&mut changed);
        assert!(!state.has_content(&changed));
        let event = Changed { content: changed.clone(), removed_skus: Vec::new() };
        given::<Product>(&[created(lamp())]).when(&replace(changed)).then(&[event.into()]);
    }
}

#[test]
fn an_inactive_product_exists_but_is_not_listed() {
    let hidden = Content { active: false, ..lamp() };
    let state = fold::<Product>(&[created(hidden)]);
    assert!(state.exists() && !state.is_listed() && !state.is_withdrawn());
    let state = fold::<Product>(&[created(lamp())]);
    assert!(state.is_listed());
    assert_eq!(state.name(), "Lamp");
    assert_eq!(state.variant(&sku("L2")).unwrap().price, Money::new(700, Currency::GBP));
    assert_eq!(state.variant(&sku("L3")), None);
}
