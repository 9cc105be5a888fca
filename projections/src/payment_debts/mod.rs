//! Read model of refunds and voids: one row per refund or void, by its id.
//!
//! A refund or void that the provider refused is a *debt*. It stops being a debt if the provider carries it
//! out after all, if it is retried under a new id, or if staff settle it in another way or withdraw it. Its
//! row stays, so that a repeated request of staff finds it.

mod row;

use souk_domain::PaymentId;
use souk_domain::payment::PaymentEvent;
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::{DebtKind, Failure, PaymentDebtRow};

use crate::stream_event::instant;

/// Projector of the read model of refunds and voids.
#[derive(Debug)]
pub struct PaymentDebts;

impl Projector for PaymentDebts {
    const MODEL: Model = Model {
        name: "payment_debts",
        version: 1,
        columns: &[
            Column { name: "payment_id", column_type: ColumnType::Text },
            // Null if the refund or void is not a debt.
            Column { name: "failed_at", column_type: ColumnType::Integer },
        ],
        indexes: &["failed_at, key"],
        sums: &[],
    };
    type Event = PaymentEvent;
    type Row = PaymentDebtRow;

    fn event_types() -> Vec<&'static str> {
        vec![
            "payment.refund-requested",
            "payment.refunded",
            "payment.refund-doubled",
            "payment.refund-failed",
            "payment.void-requested",
            "payment.voided",
            "payment.void-failed",
            "payment.debt-settled",
            "payment.debt-withdrawn",
        ]
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<PaymentEvent>, DecodeError> {
        recorded.decode().map(Some)
    }

    fn keys(event: &PaymentEvent, _: &RecordedEvent) -> Vec<String> {
        let (id, retried) = match event {
            PaymentEvent::RefundRequested(event) => (event.refund.0, event.retries.map(|refund| refund.0)),
            PaymentEvent::VoidRequested(event) => (event.void.0, event.retries.map(|void| void.0)),
            PaymentEvent::Refunded(event) => (event.refund.0, None),
            PaymentEvent::RefundDoubled(event) => (event.refund.0, None),
            PaymentEvent::RefundFailed(event) => (event.refund.0, None),
            PaymentEvent::Voided(event) => (event.void.0, None),
            PaymentEvent::VoidFailed(event) => (event.void.0, None),
            PaymentEvent::DebtSettled(event) => (event.debt.0, None),
            PaymentEvent::DebtWithdrawn(event) => (event.debt.0, None),
            _ => return Vec::new(),
        };
        std::iter::once(id).chain(retried).map(|id| id.to_string()).collect()
    }

    fn project(
        key: &str,
        row: Option<PaymentDebtRow>,
        event: &PaymentEvent,
        recorded: &RecordedEvent,
    ) -> Option<PaymentDebtRow> {
        let failure = |code: &str, detail: &str| {
            let at = recorded.event.recorded_at;
            Some(Failure { code: code.to_owned(), detail: detail.to_owned(), at })
        };
        let failure = match event {
            PaymentEvent::RefundRequested(event) if event.refund.to_string() == key => {
                return requested(recorded, event.order, DebtKind::Refund, event.amount, event.attempt);
            }
            PaymentEvent::VoidRequested(event) if event.void.to_string() == key => {
                return requested(recorded, event.order, DebtKind::Void, event.amount, event.attempt);
            }
            PaymentEvent::RefundFailed(event) => failure(&event.code, &event.detail),
            PaymentEvent::VoidFailed(event) => failure(&event.code, &event.detail),
            _ => None,
        };
        Some(PaymentDebtRow { failure, ..row? })
    }

    fn columns(_: &str, row: &PaymentDebtRow) -> Vec<Value> {
        let failed_at = row.failure.as_ref().map_or(Value::Null, |failure| instant(failure.at));
        vec![Value::Text(row.payment.to_string()), failed_at]
    }
}

fn requested(
    recorded: &RecordedEvent,
    order: souk_domain::OrderId,
    kind: DebtKind,
    amount: souk_domain::Money,
    attempt: u32,
) -> Option<PaymentDebtRow> {
    let payment = PaymentId::parse(recorded.stream.id()).ok()?;
    Some(PaymentDebtRow { payment, order, kind, amount, attempt, failure: None })
}

#[cfg(test)]
mod tests;
