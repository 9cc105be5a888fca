//! Read model of orders: one row per order, by order id, and sums of the sales per UTC day and currency. The
//! lines of an order are rows of [`crate::order_lines`].
//!
//! An order is a sale of the day on which it was confirmed, unless it is cancelled. A refund lowers the
//! revenue of the day of the refund. This model sums refunds of orders that were paid outside the shop;
//! [`crate::payments`] sums refunds of payments.

mod row;

use souk_domain::order::event::Draft;
use souk_domain::order::{Order, OrderEvent, OrderStatus};
use souk_domain::{Address, PaymentId, PersonalText};
use souk_eventsourcing::projector::{Column, ColumnType, Contribution, Model, Projector, Sum, Value};
use souk_eventsourcing::{DecodeError, EventPayload, Personal, RecordedEvent, Timestamp};

pub use row::{GuestOfOrder, LineReservation, OrderRow, OutsideRefund, TimelineEntry};

use crate::stream_event::{self, StreamEvent, instant, money_day, text};

/// Projector of the read model of orders.
#[derive(Debug)]
pub struct Orders;

impl Projector for Orders {
    const MODEL: Model = Model {
        name: "orders",
        version: 4,
        columns: &[
            Column { name: "status", column_type: ColumnType::Text },
            Column { name: "customer_id", column_type: ColumnType::Text },
            Column { name: "placed_at", column_type: ColumnType::Integer },
            Column { name: "code", column_type: ColumnType::Text },
            Column { name: "payment_id", column_type: ColumnType::Text },
            // Null for a customer's order, which is found by `customer_id`.
            Column { name: "guest_email_hash", column_type: ColumnType::Text },
            // 1 if the order can't be shipped because its address was erased; otherwise null.
            Column { name: "address_erased", column_type: ColumnType::Integer },
        ],
        indexes: &[
            "placed_at, key",
            "customer_id, placed_at, key",
            "status, placed_at, key",
            "code",
            "guest_email_hash, key",
            "address_erased, placed_at, key",
        ],
        sums: &[Sum { name: "sales", columns: &["orders", "units", "revenue"] }],
    };
    type Event = StreamEvent<OrderEvent>;
    type Row = OrderRow;

    fn event_types() -> Vec<&'static str> {
        stream_event::event_types::<Order>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        stream_event::read::<Order>(recorded)
    }

    fn keys(_: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<OrderRow>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<OrderRow> {
        let mut row = match (row, event) {
            (Some(row), _) => row,
            (None, StreamEvent::Event(OrderEvent::Placed(event))) => placed(&event.draft),
            (None, _) => return None,
        };
        row.revision = recorded.revision.0;
        if let StreamEvent::Event(event) = event {
            apply(&mut row, event, recorded.event.recorded_at);
        }
        Some(row)
    }

    fn columns(_: &str, row: &OrderRow) -> Vec<Value> {
        vec![
            text(row.status.as_str()),
            row.customer.as_ref().map_or(Value::Null, text),
            instant(row.placed_at),
            text(&row.code),
            text(&row.payment),
            row.guest_email_hash().map_or(Value::Null, text),
            if row.waits_for_an_address() { Value::Integer(1) } else { Value::Null },
        ]
    }

    fn contributions(_: &str, row: &OrderRow) -> Vec<Contribution> {
        let Some(confirmed_at) = row.confirmed_at else { return Vec::new() };
        if row.status == OrderStatus::Cancelled {
            return Vec::new();
        }
        let key = |at| money_day(row.total.currency, at);
        let sale = vec![1, row.units, row.total.amount];
        let sale = Contribution { sum: "sales", key: key(confirmed_at), deltas: sale };
        let refunds = row.given_back_outside.iter().map(|refund| Contribution {
            sum: "sales",
            key: key(refund.at),
            deltas: vec![0, 0, -refund.amount],
        });
        std::iter::once(sale).chain(refunds).collect()
    }
}

fn placed(draft: &Draft) -> OrderRow {
    OrderRow {
        status: OrderStatus::Placed,
        code: draft.code.clone(),
        customer: draft.customer.clone(),
        cart: draft.cart,
        email: draft.email.clone(),
        email_hash: draft.email_hash.clone(),
        is_address_erased: is_erased(draft.shipping_address.as_ref()),
        shipping_address: draft.shipping_address.clone(),
        units: draft.lines.iter().map(|line| i64::from(line.quantity)).sum(),
        charges: draft.charges.clone(),
        total: draft.total,
        payment: PaymentId::of(draft.order),
        reason: None,
        failed_skus: Vec::new(),
        timeline: Vec::new(),
        placed_at: draft.placed_at,
        confirmed_at: None,
        is_paid_outside: false,
        given_back_outside: Vec::new(),
        is_erased: false,
        revision: 0,
    }
}

fn apply(row: &mut OrderRow, event: &OrderEvent, at: Timestamp) {
    match event {
        OrderEvent::PaymentAwaited(_) => row.status = OrderStatus::PaymentPending,
        OrderEvent::Confirmed(event) => {
            row.status = OrderStatus::Confirmed;
            row.confirmed_at = Some(at);
            row.is_paid_outside = event.paid_outside;
        }
        OrderEvent::Cancelled(event) => {
            row.status = OrderStatus::Cancelled;
            row.reason = Some(event.reason.clone());
            row.failed_skus.clone_from(&event.failed_skus);
        }
        OrderEvent::TimedOut(event) => {
            row.status = OrderStatus::TimedOut;
            row.reason = Some(event.reason.clone());
        }
        OrderEvent::Shipped(_) => row.status = OrderStatus::Shipped,
        OrderEvent::Delivered(_) => row.status = OrderStatus::Delivered,
        OrderEvent::Returned(event) => {
            if row.is_paid_outside {
                let amount = row.price_of_return(event.value, event.complete);
                row.given_back_outside.push(OutsideRefund { at, amount });
            }
            if event.complete {
                row.status = OrderStatus::Returned;
            }
        }
        OrderEvent::Placed(_)
        | OrderEvent::CancellationRequested(_)
        | OrderEvent::PaidOutside(_)
        | OrderEvent::ShipmentCorrected(_) => {}
        OrderEvent::AddressChanged(event) => {
            row.shipping_address = Some(event.address.clone());
            row.is_address_erased = event.address.is_erased();
        }
        OrderEvent::Attached(event) => {
            row.customer = Some(event.customer.clone());
            row.email.clone_from(&event.email);
            row.is_address_erased = is_erased(event.shipping_address.as_ref());
            row.shipping_address.clone_from(&event.shipping_address);
        }
        OrderEvent::Erased(_) => {
            row.is_erased = true;
            row.is_address_erased = row.shipping_address.is_some();
        }
    }
    let name = event.event_type();
    let event_name = name.strip_prefix("order.").unwrap_or(name).to_owned();
    row.timeline.push(TimelineEntry { at, event: event_name, detail: detail(event) });
}

/// Returns true if the person of an address was erased before the address was written.
fn is_erased(address: Option<&Personal<Address>>) -> bool {
    address.is_some_and(Personal::is_erased)
}

/// Returns the carrier and the tracking number as text.
fn shipment(carrier: &str, tracking: &str) -> String {
    format!("{carrier} {tracking}").trim_end().to_owned()
}

/// Returns the text that the timeline shows for an event.
fn detail(event: &OrderEvent) -> Option<PersonalText> {
    match event {
        OrderEvent::CancellationRequested(event) => Some(event.reason.detail.clone()),
        OrderEvent::Cancelled(event) => Some(event.reason.detail.clone()),
        OrderEvent::TimedOut(event) => Some(event.reason.detail.clone()),
        OrderEvent::Shipped(event) => Some(shipment(&event.carrier, &event.tracking).into()),
        OrderEvent::ShipmentCorrected(event) => Some(shipment(&event.carrier, &event.tracking).into()),
        OrderEvent::Returned(event) => {
            let lines = event.reversal.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku));
            Some(lines.collect::<Vec<_>>().join(", ").into())
        }
        OrderEvent::Confirmed(event) if event.paid_outside => Some("paid outside".into()),
        OrderEvent::Placed(_)
        | OrderEvent::PaymentAwaited(_)
        | OrderEvent::PaidOutside(_)
        | OrderEvent::Confirmed(_)
        | OrderEvent::Delivered(_)
        | OrderEvent::AddressChanged(_)
        | OrderEvent::Attached(_)
        | OrderEvent::Erased(_) => None,
    }
}

#[cfg(test)]
mod tests;
