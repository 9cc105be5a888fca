//! Read model of stored webhooks: one row per webhook. Its key is the id that the provider gave to the event.
//!
//! A webhook about a payment that the shop does not know yet is stored. A sweep sends it to the payment once
//! the payment is known, and the row is removed.

mod row;

use souk_domain::webhook::{Webhook, WebhookEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::KeptWebhookRow;

use crate::stream_event::instant;

/// Projector of the read model of stored webhooks.
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

    fn event_types() -> Vec<&'static str> {
        <Webhook as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<WebhookEvent>, DecodeError> {
        recorded.decode().map(Some)
    }

    fn keys(event: &WebhookEvent, _: &RecordedEvent) -> Vec<String> {
        match event {
            WebhookEvent::Stored(event) => vec![event.event_id.clone()],
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
            WebhookEvent::Stored(event) => Some(KeptWebhookRow {
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
