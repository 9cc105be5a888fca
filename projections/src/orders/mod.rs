//! Orders with their timeline, and sales by day.

mod row;

pub use row::{OrderRow, ReservationStatus, TimelineEntry};

use jiff::tz::TimeZone;
use souk_domain::order::event::{Placed, Reversal};
use souk_domain::order::{OrderEvent, OrderStatus};
use souk_eventsourcing::projector::{Contribution, Model, Projector, Sum, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct Orders;

impl Projector for Orders {
    const MODEL: Model = Model {
        name: "orders",
        version: 1,
        columns: &[text("status"), text("customer"), text("code"), integer("placed_at")],
        indexes: &["placed_at, key", "customer, placed_at, key", "status, placed_at, key", "code"],
        sums: &[Sum { name: "sales", columns: &["orders", "units", "revenue"] }],
    };
    type Event = OrderEvent;
    type Row = OrderRow;

    fn takes() -> Vec<&'static str> {
        OrderEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<OrderEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(_: &OrderEvent, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<OrderRow>,
        event: &OrderEvent,
        recorded: &RecordedEvent,
    ) -> Option<OrderRow> {
        let mut row = match event {
            OrderEvent::Placed(event) => placed(event),
            _ => row?,
        };
        row.revision = recorded.revision.0;
        let detail = apply(&mut row, event, recorded);
        let (at, event) = (recorded.event.recorded_at, recorded.event_type().to_owned());
        row.timeline.push(TimelineEntry { at, event, detail });
        Some(row)
    }

    fn columns(_: &str, row: &OrderRow) -> Vec<Value> {
        let customer = row.customer.as_ref();
        vec![
            Value::Text(row.status.as_str().to_owned()),
            customer.map_or(Value::Null, |customer| Value::Text(customer.as_str().to_owned())),
            Value::Text(row.code.clone()),
            Value::Integer(row.placed_at.as_microsecond()),
        ]
    }

    /// Orders that were confirmed and not cancelled since, by UTC day of confirmation.
    fn contributions(_: &str, row: &OrderRow) -> Vec<Contribution> {
        let Some(confirmed_at) = row.confirmed_at.filter(|_| row.status != OrderStatus::Cancelled) else {
            return Vec::new();
        };
        let day = confirmed_at.to_zoned(TimeZone::UTC).date();
        let units = i64::try_from(row.units).unwrap_or(i64::MAX);
        let key = format!("{}:{day}", row.total.currency.code());
        vec![Contribution { sum: "sales", key, deltas: vec![1, units, row.total.amount] }]
    }
}

fn placed(event: &Placed) -> OrderRow {
    let draft = &event.draft;
    OrderRow {
        revision: 0,
        status: OrderStatus::Placed,
        code: draft.code.clone(),
        customer: draft.customer.clone(),
        email: draft.email.clone(),
        shipping_address: draft.shipping_address.clone(),
        charges: draft.charges.clone(),
        total: draft.total,
        units: draft.lines.iter().map(|line| u64::from(line.quantity)).sum(),
        reservation: ReservationStatus::Pending,
        failed_skus: Vec::new(),
        reason: None,
        timeline: Vec::new(),
        placed_at: draft.placed_at,
        confirmed_at: None,
    }
}

/// Changes the row and says in words what happened.
fn apply(row: &mut OrderRow, event: &OrderEvent, recorded: &RecordedEvent) -> String {
    match event {
        OrderEvent::Placed(_) => return format!("{} units for {}", row.units, row.total),
        OrderEvent::PaymentAwaited(_) => {
            row.status = OrderStatus::PaymentPending;
            row.reservation = ReservationStatus::Reserved;
        }
        OrderEvent::CancellationRequested(event) => return event.reason.detail.clone(),
        OrderEvent::PaidOutside(_) | OrderEvent::AddressChanged(_) => {}
        OrderEvent::Confirmed(_) => {
            row.status = OrderStatus::Confirmed;
            row.reservation = ReservationStatus::Confirmed;
            row.confirmed_at = Some(recorded.event.recorded_at);
        }
        OrderEvent::Cancelled(event) => {
            row.status = OrderStatus::Cancelled;
            row.reservation = ReservationStatus::Released;
            row.failed_skus.clone_from(&event.failed_skus);
            row.reason = Some(event.reason.clone());
            return event.reason.detail.clone();
        }
        OrderEvent::TimedOut(event) => {
            row.status = OrderStatus::TimedOut;
            row.reservation = ReservationStatus::Released;
            row.reason = Some(event.reason.clone());
            return event.reason.detail.clone();
        }
        OrderEvent::Shipped(event) => {
            row.status = OrderStatus::Shipped;
            return format!("{} {}", event.carrier, event.tracking);
        }
        OrderEvent::Delivered(_) => row.status = OrderStatus::Delivered,
        OrderEvent::Returned(event) => {
            if event.complete {
                row.status = OrderStatus::Returned;
            }
            return returned(&event.reversal);
        }
    }
    if let OrderEvent::AddressChanged(event) = event {
        row.shipping_address = Some(event.address.clone());
    }
    String::new()
}

fn returned(reversal: &Reversal) -> String {
    let units: u64 = reversal.lines.iter().map(|line| u64::from(line.quantity)).sum();
    match reversal.refund {
        Some(refund) => format!("{units} units came back, {refund} goes back"),
        None => format!("{units} units came back"),
    }
}
