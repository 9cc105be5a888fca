//! Compares a claim with a plain model: no owner, or one owner in one epoch.

use proptest::prelude::*;

use super::tests::{claim_in, release_in};
use super::*;
use crate::history::History;

#[derive(Clone, Debug)]
enum Act {
    Claim(u8, u64),
    Release(u8, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3_u8, 0..4_u64).prop_map(|(owner, epoch)| Act::Claim(owner, epoch)),
        (0..3_u8, 0..5_u64).prop_map(|(owner, epoch)| Act::Release(owner, epoch)),
    ]
}

proptest! {
    /// Claims and releases of any owner and epoch arrive in any order, late ones too.
    // Proves: sign-in.one-account-per-address
    // Proves: products.one-owner-per-sku
    #[test]
    fn a_key_has_one_owner_at_most(acts in prop::collection::vec(act(), 1..30)) {
        let mut claim = History::<Claim>::default();
        let mut model: Option<(u8, u64)> = None;
        for act in acts {
            let (command, expected) = match (&act, model) {
                (Act::Claim(owner, epoch), Some((holder, _))) if *owner != holder => {
                    (claim_in(&name(*owner), *epoch), Err(ClaimRejection::Taken { owner: name(holder) }))
                }
                (Act::Claim(owner, epoch), held) => {
                    let epoch_of_claim = held.map_or(*epoch, |(_, earlier)| earlier.max(*epoch));
                    (claim_in(&name(*owner), *epoch), Ok(Some((*owner, epoch_of_claim))))
                }
                (Act::Release(owner, epoch), held) => {
                    let is_freed = held.is_some_and(|(holder, claimed)| holder == *owner && claimed < *epoch);
                    (release_in(&name(*owner), *epoch), Ok(held.filter(|_| !is_freed)))
                }
            };
            let before = model;
            let decided = claim.send(1, &command);
            prop_assert_eq!(decided.as_ref().err(), expected.as_ref().err(), "{:?}", act);
            model = expected.unwrap_or(model);
            prop_assert_eq!(decided.unwrap_or_default().len(), usize::from(model != before));
            let held = claim.state.holder.as_ref().map(|holder| (holder.owner.clone(), holder.epoch));
            prop_assert_eq!(held, model.map(|(owner, epoch)| (name(owner), epoch)));
        }
        prop_assert_eq!(claim.state_after_restart(), claim.state);
    }
}

fn name(owner: u8) -> String {
    format!("product-{owner}")
}
