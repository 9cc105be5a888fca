use std::slice::from_ref;

use souk_eventsourcing::testkit::{context, fold, given, noon};

use super::event::{Claimed, Released};
use super::*;

fn claim(owner: &str) -> ClaimCommand {
    claim_in(owner, 0)
}

pub(super) fn claim_in(owner: &str, epoch: u64) -> ClaimCommand {
    ClaimCommand::Claim { owner: owner.into(), epoch }
}

fn claimed(owner: &str) -> ClaimEvent {
    claimed_in(owner, 0)
}

fn claimed_in(owner: &str, epoch: u64) -> ClaimEvent {
    Claimed { owner: owner.into(), epoch }.into()
}

fn release(owner: &str) -> ClaimCommand {
    release_in(owner, 1)
}

pub(super) fn release_in(owner: &str, epoch: u64) -> ClaimCommand {
    ClaimCommand::Release { owner: owner.into(), epoch }
}

#[test]
fn a_free_key_belongs_to_the_first_owner_that_claims_it() {
    given::<Claim>(&[]).when(&claim("product-a")).then(&[claimed("product-a")]);
}

// Proves: products.one-owner-per-sku
#[test]
fn the_owner_may_claim_again_and_others_may_not() {
    given::<Claim>(&[claimed("product-a")]).when(&claim("product-a")).then_nothing();
    given::<Claim>(&[claimed("product-a")]).when(&claim("product-b")).then_refused("claim-taken");
}

#[test]
fn a_released_key_is_free_for_others() {
    let released: ClaimEvent = Released { owner: "product-a".into() }.into();
    given::<Claim>(&[claimed("product-a")]).when(&release("product-a")).then(from_ref(&released));
    given::<Claim>(&[claimed("product-a"), released]).when(&claim("product-b")).then(&[claimed("product-b")]);
}

#[test]
fn only_the_owner_can_release_a_key() {
    given::<Claim>(&[claimed("product-a")]).when(&release("product-b")).then_nothing();
    given::<Claim>(&[]).when(&release("product-a")).then_nothing();
}

#[test]
fn a_release_removes_only_claims_of_earlier_epochs() {
    given::<Claim>(&[claimed_in("product-a", 2)]).when(&release_in("product-a", 2)).then_nothing();
    let again = [claimed_in("product-a", 2), claimed_in("product-a", 3)];
    given::<Claim>(&again[..1]).when(&claim_in("product-a", 3)).then(&again[1..]);
    given::<Claim>(&again).when(&claim_in("product-a", 2)).then_nothing();
    given::<Claim>(&again).when(&release_in("product-a", 3)).then_nothing();
    let released: ClaimEvent = Released { owner: "product-a".into() }.into();
    given::<Claim>(&again).when(&release_in("product-a", 4)).then(&[released]);
}

#[test]
fn a_refusal_names_the_owner() {
    let state = fold::<Claim>(&[claimed("product-a")]);
    let refused = Claim::decide(&state, &claim("product-b"), &context(1, noon())).unwrap_err();
    assert_eq!(refused, ClaimRejection::Taken { owner: "product-a".into() });
}
