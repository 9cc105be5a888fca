use std::slice::from_ref;

use proptest::prelude::*;
use souk_eventsourcing::testkit::{context, fold, given, noon};

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
    given::<Claim>(&[claimed("product-a")]).when(&release("product-a")).then(from_ref(&released));
    given::<Claim>(&[claimed("product-a"), released]).when(&claim("product-b")).then(&[claimed("product-b")]);
}

#[test]
fn only_the_owner_gives_a_key_up() {
    given::<Claim>(&[claimed("product-a")]).when(&release("product-b")).then_nothing();
    given::<Claim>(&[]).when(&release("product-a")).then_nothing();
}

#[test]
fn a_refusal_names_the_owner() {
    let state = fold::<Claim>(&[claimed("product-a")]);
    let refused = Claim::decide(&state, &claim("product-b"), &context(1, noon())).unwrap_err();
    assert_eq!(refused, ClaimRejection::Taken { owner: "product-a".into() });
}

proptest! {
    /// Against a plain model: nobody or one owner.
    #[test]
    fn a_key_has_one_owner_at_most(asked in prop::collection::vec((any::<bool>(), 0..3_u8), 1..30)) {
        let (mut state, mut model) = (ClaimState::default(), None);
        for (is_claim, owner) in asked {
            let name = format!("product-{owner}");
            let command = if is_claim { claim(&name) } else { release(&name) };
            let decided = Claim::decide(&state, &command, &context(1, noon()));
            let is_taken = model.as_ref().is_some_and(|present| *present != name);
            prop_assert_eq!(decided.is_err(), is_claim && is_taken);
            if !is_taken {
                model = is_claim.then_some(name);
            }
            state = decided.unwrap_or_default().iter().fold(state, Claim::evolve);
            prop_assert_eq!(&state.owner, &model);
        }
    }
}
