//! Payments with their refunds.

mod row;

pub use row::{PaymentRow, RefundRow, RefundStatus};

use souk_domain::RefundId;
use souk_domain::payment::{PaymentEvent, PaymentStatus};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct Payments;

impl Projector for Payments {
    const MODEL: Model = Model {
        name: "payments",
        version: 1,
        columns: &[text("order_id"), text("status"), integer("created_at")],
        indexes: &["order_id", "created_at, key"],
        sums: &[],
    };
    type Event = PaymentEvent;
    type Row = PaymentRow;

    fn takes() -> Vec<&'static str> {
        PaymentEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<PaymentEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(_: &PaymentEvent, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<PaymentRow>,
        event: &PaymentEvent,
        recorded: &RecordedEvent,
    ) -> Option<PaymentRow> {
        let mut row = match (row, event) {
            (Some(row), _) => row,
            (None, PaymentEvent::Requested(event)) => PaymentRow {
                revision: 0,
                order: event.order,
                amount: event.amount,
                status: PaymentStatus::Pending,
                provider_payment_id: None,
                attempts: 0,
                captured: false,
                refunds: Vec::new(),
                created_at: recorded.event.recorded_at,
            },
            (None, _) => return None,
        };
        row.revision = recorded.revision.0;
        apply(&mut row, event);
        Some(row)
    }

    fn columns(_: &str, row: &PaymentRow) -> Vec<Value> {
        let status = serde_json::to_value(row.status).ok();
        let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or("");
        vec![
            Value::Text(row.order.to_string()),
            Value::Text(status.to_owned()),
            Value::Integer(row.created_at.as_microsecond()),
        ]
    }
}

fn apply(row: &mut PaymentRow, event: &PaymentEvent) {
    match event {
        PaymentEvent::Requested(_) => {
            row.status = PaymentStatus::Pending;
            row.provider_payment_id = None;
        }
        PaymentEvent::Accepted(event) => row.provider_payment_id = Some(event.provider_payment_id.clone()),
        PaymentEvent::Authorized(event) => {
            row.provider_payment_id = Some(event.provider_payment_id.clone());
            row.attempts = event.attempts;
            // A late one, of a payment that was given up, is voided and changes nothing to look at.
            if matches!(row.status, PaymentStatus::Pending | PaymentStatus::Failed) {
                row.status = PaymentStatus::Authorized;
            }
        }
        PaymentEvent::Failed(event) => {
            row.attempts = event.attempts;
            row.status = PaymentStatus::Failed;
        }
        PaymentEvent::Captured(_) => {
            row.captured = true;
            row.status = PaymentStatus::Captured;
        }
        PaymentEvent::Cancelled(_) => {
            if matches!(row.status, PaymentStatus::Pending | PaymentStatus::Authorized) {
                row.status = PaymentStatus::Cancelled;
            }
        }
        PaymentEvent::RefundRequested(event) => row.refunds.push(RefundRow {
            id: event.refund,
            amount: event.amount,
            reason: event.reason.clone(),
            status: RefundStatus::Pending,
        }),
        PaymentEvent::Refunded(event) => {
            set_refund(row, event.refund, RefundStatus::Done);
            let done = row.refunds.iter().filter(|refund| refund.status == RefundStatus::Done);
            let sum: i64 = done.map(|refund| refund.amount.amount).sum();
            let all = sum >= row.amount.amount;
            row.status = if all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
        }
        PaymentEvent::RefundFailed(event) => set_refund(row, event.refund, RefundStatus::Failed),
        PaymentEvent::CaptureFailed(_) | PaymentEvent::VoidRequested(_) | PaymentEvent::Voided(_) => {}
    }
}

fn set_refund(row: &mut PaymentRow, id: RefundId, status: RefundStatus) {
    if let Some(refund) = row.refunds.iter_mut().find(|refund| refund.id == id) {
        refund.status = status;
    }
}
