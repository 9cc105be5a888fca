use souk_eventsourcing::testkit::given;

use super::event::{Claimed, Released};
use super::*;

fn claim(owner: &str) -> ClaimCommand {
    ClaimCommand::Claim { owner: owner.into() }
}

fn claimed(owner: &str) -> ClaimEvent {
    Claimed { owner: owner.into() }.into()
}

fn release(owner: &str) -> ClaimCommand {
    ClaimCommand::Release { owner: owner.into() }
}

#[test]
fn a_free_key_goes_to_whoever_claims_it_first() {
    given::<Claim>(&[]).when(&claim("product-a")).then(&[claimed("product-a")]);
}

#[test]
fn the_owner_may_claim_again_and_others_may_not() {
    given::<Claim>(&[claimed("product-a")]).when(&claim("product-a")).then_nothing();
    given::<Claim>(&[claimed("product-a")]).when(&claim("product-b")).then_refused("claim-taken");
}

#[test]
fn a_released_key_is_free_for_others() {
    let released: ClaimEvent = Released { owner: "product-a".into() }.into();
    given::<Claim>(&[claimed("product-a")]).when(&release("product-a")).then(&[released.clone()]);
    given::<Claim>(&[claimed("product-a"), released]).when(&claim("product-b")).then(&[claimed("product-b")]);
}

#[test]
fn only_the_owner_gives_a_key_up() {
    given::<Claim>(&[claimed("product-a")]).when(&release("product-b")).then_nothing();
    given::<Claim>(&[]).when(&release("product-a")).then_nothing();
}
