//! Read model of payments: one row per payment, by payment id.
//!
//! The status shows what happened to the money. A failed payment keeps the status `FAILED` after it is
//! cancelled. A captured payment can be refunded, and is never shown as cancelled.
//!
//! For the sales report, refunds are summed per UTC day of the refund. Refunds of an order that was cancelled
//! or timed out are not counted, because such an order is not counted as a sale.

mod row;

use souk_domain::payment::event::Requested;
use souk_domain::payment::{Payment, PaymentEvent, PaymentStatus};
use souk_domain::{DebtId, OrderId, PaymentId, RefundId};
use souk_eventsourcing::projector::{Column, ColumnType, Contribution, Model, Projector, Sum, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent, Timestamp};

pub use row::{Debt, PaymentRow, Refund, RefundStatus};

use crate::stream_event::{self, StreamEvent, instant, money_day, text};

/// Projector of the read model of payments.
#[derive(Debug)]
pub struct Payments;

/// Types of the events that end an order without a sale, or that cancel the sale.
const EARLY_END_TYPES: [&str; 2] = ["order.cancelled", "order.timed-out"];

/// Event that changes the row of a payment.
pub enum PaymentChange {
    /// Event on the payment's own stream.
    Payment(StreamEvent<PaymentEvent>),
    /// The payment's order was cancelled or timed out.
    OrderEndedEarly(OrderId),
}

impl Projector for Payments {
    const MODEL: Model = Model {
        name: "payments",
        version: 5,
        columns: &[
            Column { name: "order_id", column_type: ColumnType::Text },
            Column { name: "status", column_type: ColumnType::Text },
            Column { name: "requested_at", column_type: ColumnType::Integer },
            // Sum of failed refunds that are still debts, in minor units.
            Column { name: "owed", column_type: ColumnType::Integer },
        ],
        indexes: &["requested_at, key"],
        sums: &[Sum { name: "refunds", columns: &["given_back"] }],
    };
    type Event = PaymentChange;
    type Row = PaymentRow;

    fn event_types() -> Vec<&'static str> {
        stream_event::event_types::<Payment>().into_iter().chain(EARLY_END_TYPES).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        if EARLY_END_TYPES.contains(&recorded.event_type()) {
            let order = OrderId::parse(recorded.stream.id()).ok();
            return Ok(order.map(PaymentChange::OrderEndedEarly));
        }
        Ok(stream_event::read::<Payment>(recorded)?.map(PaymentChange::Payment))
    }

    fn keys(event: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        match event {
            PaymentChange::Payment(_) => vec![recorded.stream.id().to_owned()],
            PaymentChange::OrderEndedEarly(order) => vec![PaymentId::of(*order).to_string()],
        }
    }

    fn project(
        _: &str,
        row: Option<PaymentRow>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<PaymentRow> {
        let at = recorded.event.recorded_at;
        let event = match event {
            PaymentChange::Payment(event) => event,
            PaymentChange::OrderEndedEarly(_) => {
                return row.map(|row| PaymentRow { is_order_ended_early: true, ..row });
            }
        };
        let mut row = match (row, event) {
            (Some(row), _) => row,
            (None, StreamEvent::Event(PaymentEvent::Requested(event))) => new_row(event, at),
            (None, _) => return None,
        };
        row.revision = recorded.revision.0;
        if let StreamEvent::Event(event) = event {
            apply(&mut row, event);
            row.set_refund_times(at);
        }
        Some(row)
    }

    fn columns(_: &str, row: &PaymentRow) -> Vec<Value> {
        let owed = Value::Integer(row.owed());
        vec![text(&row.order), text(status_name(row.status)), instant(row.requested_at), owed]
    }

    fn contributions(_: &str, row: &PaymentRow) -> Vec<Contribution> {
        if row.is_order_ended_early {
            return Vec::new();
        }
        let given_back = row.refunds.iter().filter_map(|refund| {
            let key = money_day(refund.amount.currency, refund.given_back_at?);
            Some(Contribution { sum: "refunds", key, deltas: vec![refund.given_back()] })
        });
        given_back.collect()
    }
}

/// Returns the name of the status in the API.
fn status_name(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Pending => "PENDING",
        PaymentStatus::Authorized => "AUTHORIZED",
        PaymentStatus::Captured => "CAPTURED",
        PaymentStatus::Failed => "FAILED",
        PaymentStatus::Cancelled => "CANCELLED",
        PaymentStatus::PartiallyRefunded => "PARTIALLY_REFUNDED",
        PaymentStatus::Refunded => "REFUNDED",
    }
}

/// Makes the row of a payment that is requested for the first time.
fn new_row(event: &Requested, at: Timestamp) -> PaymentRow {
    PaymentRow {
        order: event.order,
        amount: event.amount,
        status: PaymentStatus::Pending,
        provider_payment_id: None,
        attempts: 0,
        attempts_before: 0,
        abandoned: false,
        captured: 0,
        refunds: Vec::new(),
        voids: Vec::new(),
        debts: Vec::new(),
        requested_at: at,
        is_order_ended_early: false,
        revision: 0,
    }
}

fn apply(row: &mut PaymentRow, event: &PaymentEvent) {
    match event {
        PaymentEvent::Requested(_) => {
            row.status = PaymentStatus::Pending;
            row.provider_payment_id = None;
            row.attempts_before = row.attempts;
            count_calls(row, 1);
        }
        PaymentEvent::Accepted(event) => row.provider_payment_id = Some(event.provider_payment_id.clone()),
        PaymentEvent::Authorized(event) => {
            row.provider_payment_id = Some(event.provider_payment_id.clone());
            count_calls(row, event.attempts);
            if !row.abandoned {
                row.status = PaymentStatus::Authorized;
            }
        }
        PaymentEvent::Failed(event) => {
            count_calls(row, event.attempts);
            if !row.abandoned {
                row.status = PaymentStatus::Failed;
            }
        }
        PaymentEvent::Captured(event) => {
            row.captured = event.amount.amount;
            row.status = PaymentStatus::Captured;
        }
        PaymentEvent::Cancelled(_) => {
            row.abandoned = true;
            if matches!(row.status, PaymentStatus::Pending | PaymentStatus::Authorized) {
                row.status = PaymentStatus::Cancelled;
            }
        }
        _ => apply_refunds_and_voids(row, event),
    }
}

/// Applies an event about refunds, voids and debts.
fn apply_refunds_and_voids(row: &mut PaymentRow, event: &PaymentEvent) {
    match event {
        PaymentEvent::RefundRequested(event) => {
            row.remove_debt(event.retries.map(|refund| refund.0));
            let retried = row.refunds.iter().find(|refund| Some(refund.id) == event.retries);
            let first = retried.map_or(event.refund, |retried| retried.first);
            row.refunds.push(Refund {
                id: event.refund,
                amount: event.amount,
                reason: event.reason.clone(),
                status: RefundStatus::Pending,
                settled: 0,
                given_back_at: None,
                first,
            });
        }
        PaymentEvent::Refunded(event) => {
            row.remove_debt(Some(event.refund.0));
            set_refund_status(row, event.refund, RefundStatus::Refunded);
            update_payment_status(row);
        }
        PaymentEvent::RefundDoubled(event) => {
            row.remove_debt(Some(event.refund.0));
            set_refund_status(row, event.refund, RefundStatus::Doubled);
        }
        PaymentEvent::RefundFailed(event) => {
            set_refund_status(row, event.refund, RefundStatus::Failed);
            let failed = row.refunds.iter().find(|refund| refund.id == event.refund);
            row.debts.extend(failed.map(|refund| Debt { id: DebtId(event.refund.0), amount: refund.amount }));
        }
        PaymentEvent::VoidRequested(event) => {
            row.remove_debt(event.retries.map(|void| void.0));
            row.voids.push(Debt { id: DebtId(event.void.0), amount: event.amount });
        }
        PaymentEvent::VoidFailed(event) => {
            let failed = row.voids.iter().find(|void| void.id.0 == event.void.0).cloned();
            row.debts.extend(failed);
        }
        PaymentEvent::Voided(event) => {
            row.remove_debt(Some(event.void.0));
            row.voids.retain(|void| void.id.0 != event.void.0);
        }
        PaymentEvent::DebtSettled(event) => {
            row.remove_debt(Some(event.debt.0));
            let refundable = row.refundable();
            for refund in row.refunds.iter_mut().filter(|refund| refund.id.0 == event.debt.0) {
                refund.settled = refund.amount.amount.min(refundable);
            }
            update_payment_status(row);
        }
        PaymentEvent::DebtWithdrawn(event) => row.remove_debt(Some(event.debt.0)),
        PaymentEvent::RefundDeferred(_)
        | PaymentEvent::CaptureFailed(_)
        | PaymentEvent::Requested(_)
        | PaymentEvent::Accepted(_)
        | PaymentEvent::Authorized(_)
        | PaymentEvent::Failed(_)
        | PaymentEvent::Captured(_)
        | PaymentEvent::Cancelled(_) => {}
    }
}

/// Records that the current attempt to pay needed `calls` calls to the provider. The number never decreases:
/// a webhook always reports one call, even if there were more.
fn count_calls(row: &mut PaymentRow, calls: u32) {
    row.attempts = row.attempts.max(row.attempts_before.saturating_add(calls));
}

/// Sets the status of one refund.
fn set_refund_status(row: &mut PaymentRow, id: RefundId, status: RefundStatus) {
    for refund in row.refunds.iter_mut().filter(|refund| refund.id == id) {
        refund.status = status;
    }
}

/// Sets the status of the payment from the sum of its refunds.
fn update_payment_status(row: &mut PaymentRow) {
    let given_back = row.given_back();
    if given_back > 0 {
        let is_all = given_back == row.captured;
        row.status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
    }
}

#[cfg(test)]
mod tests;
