//! Compares skipped events with a plain model: the list of the different skips, in the order of the decisions.

use proptest::prelude::*;
use souk_eventsourcing::parking::Skip;
use souk_eventsourcing::{Revision, StreamName};

use super::*;
use crate::history::History;

fn skip() -> impl Strategy<Value = Skip> {
    (0..2_u8, 0..4_u64, prop::option::of(0..2_u8)).prop_map(|(order, revision, key)| Skip {
        stream: StreamName::new("order", &order.to_string()),
        revision: Revision(revision),
        key: key.map(|key| key.to_string()),
    })
}

proptest! {
    /// An operator repeats decisions, with other reasons. A skip of one row is another decision than the skip
    /// of the same event for all rows.
    // Proves: platform.parked-retry-or-skip
    #[test]
    fn each_skip_is_recorded_once(skips in prop::collection::vec((skip(), "[ a-b]{0,3}"), 0..80)) {
        let mut history = History::<Skips>::default();
        let mut model = Vec::new();
        for (skip, reason) in skips {
            let has_reason = !reason.trim().is_empty();
            let is_new = has_reason && !model.contains(&skip);
            let decided = history.send(1, &SkipsCommand::Skip { skip: skip.clone(), reason: reason.clone() });
            prop_assert_eq!(decided.is_ok(), has_reason);
            let reasons: Vec<String> = decided.unwrap_or_default().iter().map(reason_of).collect();
            if is_new {
                model.push(skip);
                prop_assert_eq!(reasons, [reason.trim()]);
            } else {
                prop_assert!(reasons.is_empty());
            }
            prop_assert_eq!(&history.state.skipped, &model);
        }
        prop_assert_eq!(history.state_after_restart(), history.state);
    }
}

fn reason_of(event: &SkipsEvent) -> String {
    let SkipsEvent::Skipped(event) = event;
    event.reason.clone()
}
