use souk_domain::claim::event::{Claimed, Released};
use souk_domain::product::Content;
use souk_domain::product::event::{Changed, Created, Variant, Withdrawn};
use souk_eventsourcing::StreamName;

use super::*;
use souk_domain::{UserId, user};
use uuid::Uuid;

use crate::testing::{History, email_hash, golden, pence, product, registered, row, sku};

fn claim_of(text: &str) -> StreamName {
    Claim::of_sku(&sku(text))
}

fn stream(n: u128) -> StreamName {
    Product::stream(product(n))
}

fn claimed(owner: &StreamName) -> ClaimEvent {
    Claimed { owner: owner.to_string(), epoch: 0 }.into()
}

fn released(owner: &StreamName) -> ClaimEvent {
    Released { owner: owner.to_string() }.into()
}

fn content(skus: &[&str]) -> Content {
    let variant =
        |text: &&str| Variant { sku: sku(text), options: [].into(), price: pence(100), images: Vec::new() };
    Content {
        name: "Lamp".into(),
        description: String::new(),
        category: String::new(),
        attributes: Vec::new(),
        active: true,
        variants: skus.iter().map(variant).collect(),
    }
}

fn created(skus: &[&str]) -> ProductEvent {
    Created { content: content(skus) }.into()
}

#[test]
fn golden() {
    let history = History::default()
        .then(&claim_of("A1"), claimed(&stream(1)))
        .then(&claim_of("B2"), claimed(&stream(1)))
        .then(&stream(1), created(&["A1", "B2"]))
        .then(
            &stream(1),
            ProductEvent::from(Changed { content: content(&["A1"]), removed_skus: vec![sku("B2")] }),
        )
        .then(&claim_of("B2"), released(&stream(1)))
        .then(&stream(1), ProductEvent::from(Withdrawn { removed_skus: vec![sku("A1")] }))
        .then(&claim_of("C3"), claimed(&stream(2)));
    golden!(OpenClaims, history);
}

#[test]
fn a_claim_is_open_until_its_owner_holds_the_sku() {
    let open = History::default().then(&claim_of("A1"), claimed(&stream(1)));
    assert_eq!(row::<OpenClaims>(&open, "sku-A1").unwrap().owner, stream(1).to_string());
    let settled = open.then(&stream(1), created(&["A1"]));
    assert!(row::<OpenClaims>(&settled, "sku-A1").is_none());
}

#[test]
fn a_claim_of_an_email_address_is_closed_from_registration_to_erasure() {
    let user = UserId(Uuid::from_u128(7));
    let claim = Claim::of_email(&email_hash());
    let open = History::default().then(&claim, claimed(&User::stream(user)));
    assert!(row::<OpenClaims>(&open, claim.id()).is_some());
    let held = open.then(&User::stream(user), registered(user));
    assert!(row::<OpenClaims>(&held, claim.id()).is_none());
    let erased = UserEvent::from(user::event::Erased { email_hash: email_hash() });
    let given_up = held.then(&User::stream(user), erased);
    assert!(row::<OpenClaims>(&given_up, claim.id()).is_some());
}

#[test]
fn a_claim_is_open_after_its_owner_has_given_the_sku_up() {
    let given_up = History::default()
        .then(&claim_of("A1"), claimed(&stream(1)))
        .then(&stream(1), created(&["A1"]))
        .then(&stream(1), ProductEvent::from(Withdrawn { removed_skus: vec![sku("A1")] }));
    assert!(row::<OpenClaims>(&given_up, "sku-A1").is_some());
    let free = given_up.then(&claim_of("A1"), released(&stream(1)));
    assert!(row::<OpenClaims>(&free, "sku-A1").is_none());
}
