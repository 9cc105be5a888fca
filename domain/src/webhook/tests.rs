use souk_eventsourcing::testkit::{given, noon};

use super::event::{Kept, Settled};
use super::state::KEPT_MAX;
use super::*;

fn keep(id: &str) -> WebhookCommand {
    WebhookCommand::Keep {
        event_id: id.into(),
        kind: "payment.authorized".into(),
        refund_id: None,
        created_at: noon(),
    }
}

fn kept(id: &str) -> WebhookEvent {
    Kept { event_id: id.into(), kind: "payment.authorized".into(), refund_id: None, created_at: noon() }
        .into()
}

#[test]
fn a_webhook_is_kept_once() {
    given::<Webhook>(&[]).when(&keep("evt_1")).then(&[kept("evt_1")]);
    given::<Webhook>(&[kept("evt_1")]).when(&keep("evt_1")).then_nothing();
}

#[test]
fn a_kept_webhook_is_settled_once_and_not_kept_again() {
    let settle = WebhookCommand::Settle { event_id: "evt_1".into(), taken: true };
    let settled: WebhookEvent = Settled { event_id: "evt_1".into(), taken: true }.into();
    given::<Webhook>(&[]).when(&settle).then_nothing();
    given::<Webhook>(&[kept("evt_1")]).when(&settle).then(std::slice::from_ref(&settled));
    given::<Webhook>(&[kept("evt_1"), settled.clone()]).when(&settle).then_nothing();
    given::<Webhook>(&[kept("evt_1"), settled]).when(&keep("evt_1")).then_nothing();
}

#[test]
fn a_flood_about_one_unknown_payment_is_bounded() {
    let many: Vec<_> = (0..KEPT_MAX).map(|n| kept(&n.to_string())).collect();
    given::<Webhook>(&many).when(&keep("one more")).then_refused("too-many-webhooks");
}
