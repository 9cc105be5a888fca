//! Compares stored webhooks with a plain model: the ids of the open webhooks and of the processed ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::state::STORED_MAX;
use super::tests::store_command;
use super::*;
use crate::history::History;

#[derive(Clone, Debug)]
enum Act {
    Store(usize),
    RecordOutcome(usize, bool),
}

/// Returns acts on a few more webhooks than one payment may have.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let webhook = || 0..STORED_MAX + 20;
    let act = prop_oneof![
        4 => webhook().prop_map(Act::Store),
        1 => (webhook(), any::<bool>()).prop_map(|(webhook, is_applied)| Act::RecordOutcome(webhook, is_applied)),
    ];
    prop::collection::vec(act, 0..400)
}

proptest! {
    /// The provider repeats its webhooks. Each is stored once and processed once, and the limit refuses new
    /// webhooks only.
    // Proves: payments.unknown-payment
    #[test]
    fn a_webhook_is_stored_once_and_processed_once(acts in acts()) {
        let mut webhooks = History::<Webhook>::default();
        let mut open = BTreeSet::new();
        let mut processed = BTreeSet::new();
        for act in acts {
            let (command, is_refused, is_new) = match act {
                Act::Store(webhook) => {
                    let is_known = open.contains(&webhook) || processed.contains(&webhook);
                    let is_full = open.len() + processed.len() == STORED_MAX;
                    let is_new = !is_known && !is_full;
                    if is_new {
                        open.insert(webhook);
                    }
                    (store_command(&webhook.to_string()), is_full && !is_known, is_new)
                }
                Act::RecordOutcome(webhook, is_applied) => {
                    let is_new = open.remove(&webhook);
                    if is_new {
                        processed.insert(webhook);
                    }
                    (WebhookCommand::RecordOutcome { event_id: webhook.to_string(), is_applied }, false, is_new)
                }
            };
            let decided = webhooks.send(1, &command);
            prop_assert_eq!(decided.is_err(), is_refused, "{:?}", command);
            prop_assert_eq!(decided.unwrap_or_default().len(), usize::from(is_new), "{:?}", command);
        }
        let seen = |ids: &BTreeSet<usize>, state| ids.iter().map(|id| (id.to_string(), state)).collect::<Vec<_>>();
        let expected = [seen(&open, false), seen(&processed, true)].concat();
        prop_assert_eq!(&webhooks.state.seen, &expected.into_iter().collect());
        prop_assert_eq!(webhooks.state_after_restart(), webhooks.state);
    }
}
