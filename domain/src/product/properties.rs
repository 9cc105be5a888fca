//! Compares a product with a plain model: a set of SKUs, empty after a withdrawal, and an epoch.

use std::collections::BTreeSet;

use proptest::prelude::*;
use souk_eventsourcing::Rejection as _;

use super::tests::{content, create, replace_in, sku, variant};
use super::*;
use crate::history::History;

#[derive(Clone, Debug)]
enum Act {
    /// Writes a content with these SKUs, in the current epoch if the last field is true.
    Write(Vec<u8>, bool),
    Withdraw,
    Fence(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (prop::collection::vec(0..6_u8, 0..4), prop::bool::weighted(0.8))
            .prop_map(|(skus, is_current)| Act::Write(skus, is_current)),
        1 => Just(Act::Withdraw),
        2 => (0..6_u8).prop_map(Act::Fence),
    ]
}

#[derive(Debug, Default)]
struct Model {
    exists: bool,
    is_withdrawn: bool,
    skus: BTreeSet<u8>,
    content: Vec<u8>,
    epoch: u64,
}

impl Model {
    fn command_of(&self, act: &Act) -> ProductCommand {
        match act {
            Act::Write(skus, is_current) => {
                let variants = skus.iter().map(|n| variant(&n.to_string(), i64::from(*n))).collect();
                let epoch = if *is_current { self.epoch } else { self.epoch + 1 };
                let content = content("Lamp", variants);
                if self.exists { replace_in(content, epoch) } else { create(content).in_epoch(epoch) }
            }
            Act::Withdraw => ProductCommand::Withdraw,
            Act::Fence(n) => ProductCommand::Fence { sku: sku(&n.to_string()) },
        }
    }

    /// Applies an act. Returns the SKUs that the product gave up, or the code of the expected rejection.
    fn apply(&mut self, act: Act) -> Result<BTreeSet<u8>, &'static str> {
        let removed = match act {
            Act::Write(..) if self.is_withdrawn => return Err("product-withdrawn"),
            Act::Withdraw if !self.exists => return Err("product-not-found"),
            Act::Write(skus, _) if self.exists && skus == self.content => BTreeSet::new(),
            Act::Write(skus, is_current) => {
                let new: BTreeSet<u8> = skus.iter().copied().collect();
                if new.is_empty() || new.len() < skus.len() {
                    return Err("validation-failed");
                }
                if !is_current {
                    return Err("revision-conflict");
                }
                self.exists = true;
                self.content = skus;
                let removed = &self.skus - &new;
                self.skus = new;
                removed
            }
            Act::Withdraw => {
                self.epoch += u64::from(!self.is_withdrawn);
                self.is_withdrawn = true;
                return Ok(std::mem::take(&mut self.skus));
            }
            Act::Fence(n) => {
                self.epoch += u64::from(!self.skus.contains(&n));
                return Ok(BTreeSet::new());
            }
        };
        self.epoch += u64::from(!removed.is_empty());
        Ok(removed)
    }
}

/// Returns the SKUs that the product gave up with an event.
fn removed(event: &ProductEvent) -> Vec<String> {
    let skus = match event {
        ProductEvent::Changed(event) => &event.removed_skus[..],
        ProductEvent::Withdrawn(event) => &event.removed_skus[..],
        ProductEvent::Created(_) | ProductEvent::Fenced(_) => &[],
    };
    skus.iter().map(ToString::to_string).collect()
}

fn texts(skus: &BTreeSet<u8>) -> Vec<String> {
    skus.iter().map(ToString::to_string).collect()
}

proptest! {
    /// Each SKU occurs once. Every SKU that the product gives up is in the event and ends the epoch, and a
    /// write of another epoch changes nothing. A withdrawn product stays withdrawn.
    // Proves: products.interrupted-writes
    // Proves: products.withdrawing
    #[test]
    fn a_product_owns_exactly_the_skus_of_its_last_content(acts in prop::collection::vec(act(), 1..25)) {
        let mut product = History::<Product>::default();
        let mut model = Model::default();
        for act in acts {
            let command = model.command_of(&act);
            let decided = product.send(1, &command).map_err(|rejection| rejection.code());
            let removed = decided.map(|events| events.iter().flat_map(removed).collect::<Vec<_>>());
            prop_assert_eq!(removed, model.apply(act).map(|skus| texts(&skus)), "{:?}", command);
            let skus: Vec<String> = product.state.skus().map(ToString::to_string).collect();
            prop_assert_eq!(skus, texts(&model.skus));
            prop_assert_eq!(product.state.epoch(), model.epoch);
            prop_assert_eq!(product.state.is_withdrawn(), model.is_withdrawn);
            prop_assert_eq!(product.state.is_listed(), model.exists && !model.is_withdrawn);
        }
        prop_assert_eq!(product.state_after_restart(), product.state);
    }
}
