//! Applies events to the state of an order.

use std::sync::Arc;

use super::event::OrderEvent;
use super::state::{Destination, OrderState, OrderStatus, PlacedOrder};

/// Returns the state after an event.
pub fn evolve(mut state: OrderState, event: &OrderEvent) -> OrderState {
    if let OrderEvent::Placed(event) = event {
        state.placed = Some(PlacedOrder::new(&event.draft));
        return state;
    }
    if let Some(order) = &mut state.placed {
        apply(order, event);
    }
    state
}

fn apply(order: &mut PlacedOrder, event: &OrderEvent) {
    match event {
        OrderEvent::Placed(_) => {}
        OrderEvent::AddressChanged(event) => order.destination = Destination::of(Some(&event.address)),
        OrderEvent::Attached(event) => {
            order.customer = Some(event.customer.clone());
            order.person = event.customer.person();
            if let Some(address) = &event.shipping_address {
                order.destination = Destination::of(Some(address));
            }
        }
        OrderEvent::Erased(_) => {
            order.is_erased = true;
            if order.destination == Destination::Present {
                order.destination = Destination::Erased;
            }
            order.person = order.id.readdressed();
        }
        OrderEvent::PaymentAwaited(_) => order.status = OrderStatus::PaymentPending,
        OrderEvent::CancellationRequested(event) => order.cancellation = Some(event.reason.clone()),
        OrderEvent::PaidOutside(_) => order.paid_outside = true,
        OrderEvent::Confirmed(event) => {
            order.status = OrderStatus::Confirmed;
            order.paid_outside = event.paid_outside;
        }
        OrderEvent::Cancelled(_) => end(order, OrderStatus::Cancelled),
        OrderEvent::TimedOut(_) => end(order, OrderStatus::TimedOut),
        OrderEvent::Shipped(event) => {
            order.status = OrderStatus::Shipped;
            order.shipment = Some((event.carrier.clone(), event.tracking.clone()));
        }
        OrderEvent::ShipmentCorrected(event) => {
            order.shipment = Some((event.carrier.clone(), event.tracking.clone()));
        }
        OrderEvent::Delivered(_) => order.status = OrderStatus::Delivered,
        OrderEvent::Returned(event) => {
            for line in &event.reversal.lines {
                *order.returned.entry(line.sku.clone()).or_insert(0) += line.quantity;
            }
            let value = event.value.or(event.reversal.refund);
            order.refunded += value.map_or(0, |value| value.amount);
            if event.complete {
                end(order, OrderStatus::Returned);
            }
        }
    }
}

/// Sets a final status, and drops the lines, which no later decision needs.
fn end(order: &mut PlacedOrder, status: OrderStatus) {
    order.status = status;
    order.lines = Arc::default();
    order.returned.clear();
}
