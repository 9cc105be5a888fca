use souk_eventsourcing::parking::Skip;
use souk_eventsourcing::testkit::given;
use souk_eventsourcing::{Revision, StreamName};

use super::event::Skipped;
use super::*;

fn skip(revision: u64) -> Skip {
    Skip { stream: StreamName::new("order", "a"), revision: Revision(revision), key: None }
}

fn skip_command(revision: u64, reason: &str) -> SkipsCommand {
    SkipsCommand::Skip { skip: skip(revision), reason: reason.to_owned() }
}

fn skipped(revision: u64) -> SkipsEvent {
    Skipped { skip: skip(revision), reason: "a lost field".to_owned() }.into()
}

// Proves: platform.parked-retry-or-skip
#[test]
fn an_event_is_skipped_once_and_with_a_reason() {
    given::<Skips>(&[]).when(&skip_command(1, " a lost field ")).then(&[skipped(1)]);
    given::<Skips>(&[skipped(1)]).when(&skip_command(1, "again")).then_nothing();
    given::<Skips>(&[skipped(1)]).when(&skip_command(2, "a lost field")).then(&[skipped(2)]);
}

#[test]
fn skips_need_a_reason_and_are_limited() {
    given::<Skips>(&[]).when(&skip_command(1, "  ")).then_refused("reason-required");
    given::<Skips>(&[]).when(&skip_command(1, &"x".repeat(501))).then_refused("reason-required");
    let many: Vec<SkipsEvent> = (0..1_000).map(skipped).collect();
    given::<Skips>(&many).when(&skip_command(1_000, "one more")).then_refused("too-many-skips");
}
