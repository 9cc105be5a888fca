//! Payments: one row a payment, by its id.
//!
//! A status says what became of the money: an attempt that failed stays failed when nobody wants the payment
//! any more, and money that was taken is refunded, never cancelled.
//!
//! Refunds are summed by the UTC day on which they were given back, for the sales report. Those of an order that
//! ended early are left out: such an order is no sale, so there is nothing to take off.

mod row;

use souk_domain::payment::event::Requested;
use souk_domain::payment::{Payment, PaymentEvent, PaymentStatus};
use souk_domain::{DebtId, OrderId, PaymentId, RefundId};
use souk_eventsourcing::projector::{Column, ColumnType, Contribution, Model, Projector, Sum, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent, Timestamp};

pub use row::{Debt, PaymentRow, Refund, RefundStatus};

use crate::happened::{self, Happened, instant, money_day, text};

/// The rules.
#[derive(Debug)]
pub struct Payments;

/// Types of the events that end an order before it is a sale, or make it none.
const ENDS_EARLY: [&str; 2] = ["order.cancelled", "order.timed-out"];

/// An event that changes a payment's row.
pub enum PaymentNews {
    /// An event of the payment's own stream.
    Of(Happened<PaymentEvent>),
    /// The order that it pays was cancelled or timed out.
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
            // Minor units of refunds that failed and that nobody has seen to.
            Column { name: "owed", column_type: ColumnType::Integer },
        ],
        indexes: &["requested_at, key"],
        sums: &[Sum { name: "refunds", columns: &["given_back"] }],
    };
    type Event = PaymentNews;
    type Row = PaymentRow;

    fn takes() -> Vec<&'static str> {
        happened::takes::<Payment>().into_iter().chain(ENDS_EARLY).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        if ENDS_EARLY.contains(&recorded.event_type()) {
            let order = recorded.stream.id().parse().ok().map(OrderId);
            return Ok(order.map(PaymentNews::OrderEndedEarly));
        }
        Ok(happened::read::<Payment>(recorded)?.map(PaymentNews::Of))
    }

    fn keys(event: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        match event {
            PaymentNews::Of(_) => vec![recorded.stream.id().to_owned()],
            PaymentNews::OrderEndedEarly(order) => vec![PaymentId::of(*order).to_string()],
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
            PaymentNews::Of(event) => event,
            PaymentNews::OrderEndedEarly(_) => {
                return row.map(|row| PaymentRow { is_order_ended_early: true, ..row });
            }
        };
        let mut row = match (row, event) {
            (Some(row), _) => row,
            (None, Happened::Event(PaymentEvent::Requested(event))) => requested(event, at),
            (None, _) => return None,
        };
        row.revision = recorded.revision.0;
        if let Happened::Event(event) = event {
            apply(&mut row, event);
            row.note_when_given_back(at);
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

/// A status as the API writes it.
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

fn requested(event: &Requested, at: Timestamp) -> PaymentRow {
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
            took(row, 1);
        }
        PaymentEvent::Accepted(event) => row.provider_payment_id = Some(event.provider_payment_id.clone()),
        PaymentEvent::Authorized(event) => {
            row.provider_payment_id = Some(event.provider_payment_id.clone());
            took(row, event.attempts);
            if !row.abandoned {
                row.status = PaymentStatus::Authorized;
            }
        }
        PaymentEvent::Failed(event) => {
            took(row, event.attempts);
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
        _ => apply_giving_back(row, event),
    }
}

/// Applies an event about money that goes back, and about holds that are let go.
fn apply_giving_back(row: &mut PaymentRow, event: &PaymentEvent) {
    match event {
        PaymentEvent::RefundRequested(event) => {
            row.close(event.retries.map(|refund| refund.0));
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
            row.close(Some(event.refund.0));
            close(row, event.refund, RefundStatus::Refunded);
            note_given_back(row);
        }
        PaymentEvent::RefundDoubled(event) => {
            row.close(Some(event.refund.0));
            close(row, event.refund, RefundStatus::Doubled);
        }
        PaymentEvent::RefundFailed(event) => {
            close(row, event.refund, RefundStatus::Failed);
            let amount = row.refunds.iter().find(|refund| refund.id == event.refund);
            row.debts.extend(amount.map(|refund| Debt { id: DebtId(event.refund.0), amount: refund.amount }));
        }
        PaymentEvent::VoidRequested(event) => {
            row.close(event.retries.map(|void| void.0));
            row.voids.push(Debt { id: DebtId(event.void.0), amount: event.amount });
        }
        PaymentEvent::VoidFailed(event) => {
            let failed = row.voids.iter().find(|void| void.id.0 == event.void.0).cloned();
            row.debts.extend(failed);
        }
        PaymentEvent::Voided(event) => {
            row.close(Some(event.void.0));
            row.voids.retain(|void| void.id.0 != event.void.0);
        }
        PaymentEvent::DebtSettled(event) => {
            row.close(Some(event.debt.0));
            let most = row.not_given();
            for refund in row.refunds.iter_mut().filter(|refund| refund.id.0 == event.debt.0) {
                refund.settled = refund.amount.amount.min(most);
            }
            note_given_back(row);
        }
        PaymentEvent::DebtWithdrawn(event) => row.close(Some(event.debt.0)),
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

/// The present attempt took so many calls, or more: a webhook answers without one.
fn took(row: &mut PaymentRow, calls: u32) {
    row.attempts = row.attempts.max(row.attempts_before.saturating_add(calls));
}

fn close(row: &mut PaymentRow, id: RefundId, status: RefundStatus) {
    for refund in row.refunds.iter_mut().filter(|refund| refund.id == id) {
        refund.status = status;
    }
}

fn note_given_back(row: &mut PaymentRow) {
    let given_back = row.given_back();
    if given_back > 0 {
        let is_all = given_back == row.captured;
        row.status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
    }
}

#[cfg(test)]
mod tests;
