//! Decides commands to an order.

use souk_eventsourcing::{Context, Person, Personal};

use crate::address::Address;
use crate::email::Email;
use crate::{CustomerId, ReversalId, Sku};

use super::command::OrderCommand;
use super::event::{
    AddressChanged, Attached, CancellationRequested, Cancelled, Confirmed, Delivered, Erased, OrderEvent,
    PaidOutside, PaymentAwaited, Placed, Reason, ReasonCode, ShipmentCorrected, Shipped, TimedOut,
};
use super::rejection::OrderRejection;
use super::returns;
use super::state::{Destination, OrderState, OrderStatus, PlacedOrder};

type Decision = Result<Vec<OrderEvent>, OrderRejection>;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &OrderState, command: &OrderCommand, context: &Context) -> Decision {
    let order = match (&state.placed, command) {
        (None, OrderCommand::Place(draft)) => {
            return Ok(vec![Placed { draft: (**draft).clone() }.into()]);
        }
        (None, _) => return Err(OrderRejection::NotFound),
        (Some(order), _) => order,
    };
    match command {
        OrderCommand::Place(_) => Ok(Vec::new()),
        OrderCommand::AwaitPayment => await_payment(order),
        OrderCommand::Cancel { reason } => cancel(order, reason, context),
        OrderCommand::MarkPaidOutside => mark_paid_outside(order),
        OrderCommand::Confirm { paid_outside } => confirm(order, *paid_outside, context),
        OrderCommand::Fail { reason, failed_skus } => fail(order, reason, failed_skus),
        OrderCommand::Ship { carrier, tracking } => ship(order, carrier, tracking),
        OrderCommand::CorrectShipment { carrier, tracking } => {
            correct_shipment(order, carrier.as_deref(), tracking.as_deref())
        }
        OrderCommand::Deliver => deliver(order),
        OrderCommand::Return { lines } => take_back(order, lines, context),
        OrderCommand::ChangeAddress { address } => match order.status {
            OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed => {
                let address = Personal::new(order.person.clone(), "shippingAddress", (**address).clone());
                Ok(vec![AddressChanged { address }.into()])
            }
            status => Err(OrderRejection::NotChangeable(status)),
        },
        OrderCommand::Attach { customer, email, shipping_address } => {
            Ok(attach(order, customer, email.as_ref(), shipping_address.as_deref()))
        }
        OrderCommand::Erase { person } => Ok(erase(order, person)),
    }
}

fn await_payment(order: &PlacedOrder) -> Decision {
    match order.status {
        OrderStatus::Placed => Ok(vec![PaymentAwaited {}.into()]),
        OrderStatus::PaymentPending => Ok(Vec::new()),
        status => Err(OrderRejection::Settled(status)),
    }
}

/// Cancels the order. A reason that a person entered may be personal data, so it is sealed with the key of
/// the order's person.
fn cancel(order: &PlacedOrder, reason: &Reason, context: &Context) -> Decision {
    let reason = &Reason { code: reason.code, detail: reason.detail.clone().of(&order.person, "reason") };
    match order.status {
        OrderStatus::Placed | OrderStatus::PaymentPending if order.cancellation.is_some() => Ok(Vec::new()),
        OrderStatus::Placed | OrderStatus::PaymentPending => {
            Ok(vec![CancellationRequested { reason: reason.clone() }.into()])
        }
        OrderStatus::Confirmed => Ok(vec![cancelled_after_confirmation(order, reason, context)]),
        OrderStatus::Cancelled | OrderStatus::TimedOut => Ok(Vec::new()),
        status => Err(OrderRejection::NotCancellable(status)),
    }
}

fn cancelled_after_confirmation(order: &PlacedOrder, reason: &Reason, context: &Context) -> OrderEvent {
    let id = ReversalId(context.derived_id("reversal"));
    let reversal = Some(returns::everything_not_returned(order, id));
    Cancelled { reason: reason.clone(), failed_skus: Vec::new(), reversal }.into()
}

fn mark_paid_outside(order: &PlacedOrder) -> Decision {
    match order.status {
        OrderStatus::PaymentPending if order.paid_outside => Ok(Vec::new()),
        OrderStatus::PaymentPending => Ok(vec![PaidOutside {}.into()]),
        OrderStatus::Confirmed => Ok(Vec::new()),
        status => Err(OrderRejection::NotPayable(status)),
    }
}

/// Confirms the order. If a cancellation was requested while the checkout was capturing the payment, the
/// order is cancelled at once, like any confirmed order.
fn confirm(order: &PlacedOrder, paid_outside: bool, context: &Context) -> Decision {
    match order.status {
        OrderStatus::PaymentPending => {
            let mut events = vec![Confirmed { paid_outside }.into()];
            if let Some(reason) = &order.cancellation {
                let confirmed = PlacedOrder { paid_outside, ..order.clone() };
                events.push(cancelled_after_confirmation(&confirmed, reason, context));
            }
            Ok(events)
        }
        OrderStatus::Confirmed => Ok(Vec::new()),
        OrderStatus::Placed => Err(OrderRejection::NotReserved),
        status => Err(OrderRejection::Settled(status)),
    }
}

fn fail(order: &PlacedOrder, reason: &Reason, failed_skus: &[Sku]) -> Decision {
    match order.status {
        OrderStatus::Placed | OrderStatus::PaymentPending => Ok(vec![ended_early(reason, failed_skus)]),
        OrderStatus::Cancelled | OrderStatus::TimedOut => Ok(Vec::new()),
        status => Err(OrderRejection::Settled(status)),
    }
}

fn ended_early(reason: &Reason, failed_skus: &[Sku]) -> OrderEvent {
    let reason = reason.clone();
    if reason.code == ReasonCode::PaymentTimedOut {
        TimedOut { reason }.into()
    } else {
        Cancelled { reason, failed_skus: failed_skus.to_vec(), reversal: None }.into()
    }
}

/// Assigns the order to a customer. Does nothing if the order already belongs to a customer, or if its guest
/// is erased.
fn attach(
    order: &PlacedOrder,
    customer: &CustomerId,
    email: Option<&Email>,
    shipping_address: Option<&Address>,
) -> Vec<OrderEvent> {
    if order.customer.is_some() || order.is_erased {
        return Vec::new();
    }
    let email = email.map(|email| Personal::new(customer.person(), "email", email.as_str().to_owned()));
    let seal = |address: &Address| Personal::new(customer.person(), "shippingAddress", address.clone());
    let shipping_address = shipping_address.map(seal);
    vec![Attached { customer: customer.clone(), email, shipping_address }.into()]
}

/// Notes an erasure. Does nothing if the personal data of the order is sealed with another person's key, for
/// example because the erasure is noted already.
fn erase(order: &PlacedOrder, person: &Person) -> Vec<OrderEvent> {
    if order.person == *person { vec![Erased { person: person.clone() }.into()] } else { Vec::new() }
}

fn ship(order: &PlacedOrder, carrier: &str, tracking: &str) -> Decision {
    match (order.status, &order.shipment) {
        (OrderStatus::Confirmed, _) if order.destination == Destination::Erased => {
            Err(OrderRejection::AddressErased)
        }
        (OrderStatus::Confirmed, _) => {
            Ok(vec![Shipped { carrier: carrier.to_owned(), tracking: tracking.to_owned() }.into()])
        }
        (OrderStatus::Shipped, Some((by, number))) if by == carrier && number == tracking => Ok(Vec::new()),
        (status, _) => Err(OrderRejection::NotShippable(status)),
    }
}

/// Corrects the shipment. Buyers look up the tracking number after the delivery too, so it can be corrected
/// until all goods are returned.
fn correct_shipment(order: &PlacedOrder, carrier: Option<&str>, tracking: Option<&str>) -> Decision {
    let shipment = match (order.status, &order.shipment) {
        (OrderStatus::Shipped | OrderStatus::Delivered, Some(shipment)) => shipment,
        (status, _) => return Err(OrderRejection::NotShipped(status)),
    };
    let corrected = (carrier.unwrap_or(&shipment.0).to_owned(), tracking.unwrap_or(&shipment.1).to_owned());
    if corrected == *shipment {
        return Ok(Vec::new());
    }
    Ok(vec![ShipmentCorrected { carrier: corrected.0, tracking: corrected.1 }.into()])
}

fn deliver(order: &PlacedOrder) -> Decision {
    match order.status {
        OrderStatus::Shipped => Ok(vec![Delivered {}.into()]),
        OrderStatus::Delivered => Ok(Vec::new()),
        status => Err(OrderRejection::NotDeliverable(status)),
    }
}

fn take_back(order: &PlacedOrder, lines: &[(Sku, u32)], context: &Context) -> Decision {
    // Goods that the carrier could not deliver are returned without a delivery.
    if !matches!(order.status, OrderStatus::Shipped | OrderStatus::Delivered) {
        return Err(OrderRejection::NotReturnable(order.status));
    }
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let id = ReversalId(context.derived_id("reversal"));
    Ok(vec![returns::some_units(order, lines, id)?.into()])
}
