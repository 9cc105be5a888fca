use souk_domain::webhook::event::{Settled, Stored};
use souk_eventsourcing::StreamName;
use souk_eventsourcing::testkit::noon;

use super::*;
use crate::testing::{History, golden, row};

fn stream() -> StreamName {
    StreamName::new(Webhook::CATEGORY, "sim_1")
}

fn stored(id: &str) -> WebhookEvent {
    let event_id = id.to_owned();
    let kind = "payment.authorized".to_owned();
    Stored { event_id, kind, refund_id: None, created_at: noon() }.into()
}

fn settled(id: &str) -> WebhookEvent {
    Settled { event_id: id.to_owned(), is_applied: true }.into()
}

#[test]
fn golden() {
    let history = History::default()
        .then(&stream(), stored("evt_1"))
        .then(&stream(), stored("evt_2"))
        .then(&stream(), settled("evt_1"));
    golden!(KeptWebhooks, history);
}

#[test]
fn a_settled_webhook_has_no_row() {
    let history = History::default().then(&stream(), stored("evt_1"));
    assert!(row::<KeptWebhooks>(&history, "evt_1").is_some());
    assert!(row::<KeptWebhooks>(&history.then(&stream(), settled("evt_1")), "evt_1").is_none());
}
