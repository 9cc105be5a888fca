//! Webhooks about payments that nobody here knows: one row each, by the provider's id of its event, for the
//! sweep that tells the payment once it is known. One that was told has no row.

mod row;

use souk_domain::webhook::{Webhook, WebhookEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::KeptWebhookRow;

use crate::happened::instant;

/// The rules.
#[derive(Debug)]
pub struct KeptWebhooks;

impl Projector for KeptWebhooks {
    const MODEL: Model = Model {
        name: "kept_webhooks",
        version: 1,
        columns: &[Column { name: "created_at", column_type: ColumnType::Integer }],
        indexes: &[],
        sums: &[],
    };
    type Event = WebhookEvent;
    type Row = KeptWebhookRow;

    fn takes() -> Vec<&'static str> {
        <Webhook as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<WebhookEvent>, DecodeError> {
        recorded.decode().map(Some)
    }

    fn keys(event: &WebhookEvent, _: &RecordedEvent) -> Vec<String> {
        match event {
            WebhookEvent::Kept(event) => vec![event.event_id.clone()],
            WebhookEvent::Settled(event) => vec![event.event_id.clone()],
        }
    }

    fn project(
        _: &str,
        _: Option<KeptWebhookRow>,
        event: &WebhookEvent,
        recorded: &RecordedEvent,
    ) -> Option<KeptWebhookRow> {
        match event {
            WebhookEvent::Kept(event) => Some(KeptWebhookRow {
                provider_payment_id: recorded.stream.id().to_owned(),
                kind: event.kind.clone(),
                refund_id: event.refund_id.clone(),
                created_at: event.created_at,
            }),
            WebhookEvent::Settled(_) => None,
        }
    }

    fn columns(_: &str, row: &KeptWebhookRow) -> Vec<Value> {
        vec![instant(row.created_at)]
    }
}

#[cfg(test)]
mod tests;
