use souk_eventsourcing::testkit::{given, noon};

use super::event::{Settled, Stored};
use super::state::STORED_MAX;
use super::*;

pub(super) fn store_command(id: &str) -> WebhookCommand {
    WebhookCommand::Store {
        event_id: id.into(),
        kind: "payment.authorized".into(),
        refund_id: None,
        created_at: noon(),
    }
}

fn stored_event(id: &str) -> WebhookEvent {
    Stored { event_id: id.into(), kind: "payment.authorized".into(), refund_id: None, created_at: noon() }
        .into()
}

#[test]
fn a_webhook_is_stored_once() {
    given::<Webhook>(&[]).when(&store_command("evt_1")).then(&[stored_event("evt_1")]);
    given::<Webhook>(&[stored_event("evt_1")]).when(&store_command("evt_1")).then_nothing();
}

#[test]
fn a_processed_webhook_is_not_processed_or_stored_again() {
    let record = WebhookCommand::RecordOutcome { event_id: "evt_1".into(), is_applied: true };
    let settled: WebhookEvent = Settled { event_id: "evt_1".into(), is_applied: true }.into();
    given::<Webhook>(&[]).when(&record).then_nothing();
    given::<Webhook>(&[stored_event("evt_1")]).when(&record).then(std::slice::from_ref(&settled));
    given::<Webhook>(&[stored_event("evt_1"), settled.clone()]).when(&record).then_nothing();
    given::<Webhook>(&[stored_event("evt_1"), settled]).when(&store_command("evt_1")).then_nothing();
}

#[test]
fn stored_webhooks_about_one_payment_are_limited() {
    let many: Vec<_> = (0..STORED_MAX).map(|n| stored_event(&n.to_string())).collect();
    given::<Webhook>(&many).when(&store_command("one more")).then_refused("too-many-webhooks");
}
