//! Inputs of a checkout: the events of carts, orders and payments that it reads.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Incoming;
use souk_eventsourcing::{DecodeError, RecordedEvent};

use souk_domain::OrderId;
use souk_domain::cart::CartEvent;
use souk_domain::cart::event::CartLine;
use souk_domain::money::Money;
use souk_domain::order::OrderEvent;
use souk_domain::order::event::{Draft, Reason};
use souk_domain::payment::PaymentEvent;
use souk_domain::payment::event::Requested;
use souk_domain::personal_text::PersonalText;

/// Types of the events that a checkout reads.
pub const EVENT_TYPES: [&str; 9] = [
    "cart.checked-out",
    "order.placed",
    "order.cancellation-requested",
    "order.paid-outside",
    "payment.requested",
    "payment.authorized",
    "payment.failed",
    "payment.captured",
    "payment.capture-failed",
];

/// The part of an event that a checkout needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckoutEvent {
    /// A cart was checked out; its order is not placed yet.
    CheckedOut {
        /// The order with all its data.
        draft: Box<Draft>,
        /// Lines as they were in the cart.
        lines: Vec<CartLine>,
    },
    /// The order was placed.
    Placed {
        /// The order with all its data.
        draft: Box<Draft>,
    },
    /// The buyer or the shop requested a cancellation.
    CancellationRequested {
        /// Code and text of the reason.
        reason: Reason,
    },
    /// The order was paid outside the shop.
    PaidOutside,
    /// A payment attempt began.
    PaymentRequested {
        /// Number of the attempt, from 1.
        attempt: u32,
        /// Amount to pay.
        amount: Money,
        /// The provider's token for the buyer's means of payment.
        token: PersonalText,
    },
    /// The provider holds the money.
    Authorized {
        /// The provider's id of the payment.
        provider_payment_id: String,
    },
    /// The current payment attempt failed.
    PaymentFailed {
        /// The provider's reason as text.
        detail: String,
    },
    /// The money was captured.
    Captured,
    /// The provider held the money but refused to capture it.
    CaptureFailed {
        /// The provider's reason as text.
        detail: String,
    },
}

/// Reads a recorded event. Returns the checkout instance that it is for, or `None` if no checkout needs it.
pub fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<CheckoutEvent>>, DecodeError> {
    match recorded.stream.category() {
        "cart" => Ok(from_cart(recorded.decode()?)),
        "order" => Ok(from_order(recorded.stream.id(), recorded.decode()?)),
        "payment" => Ok(from_payment(recorded.decode()?)),
        _ => Ok(None),
    }
}

fn from_cart(event: CartEvent) -> Option<Incoming<CheckoutEvent>> {
    let CartEvent::CheckedOut(event) = event else { return None };
    let instance = event.draft.order.to_string();
    let event = CheckoutEvent::CheckedOut { draft: Box::new(event.draft), lines: event.lines };
    Some(Incoming { instance, starts: true, event })
}

fn from_order(order: &str, event: OrderEvent) -> Option<Incoming<CheckoutEvent>> {
    let (starts, event) = match event {
        OrderEvent::Placed(event) => (true, CheckoutEvent::Placed { draft: Box::new(event.draft) }),
        OrderEvent::CancellationRequested(event) => {
            (false, CheckoutEvent::CancellationRequested { reason: event.reason })
        }
        OrderEvent::PaidOutside(_) => (false, CheckoutEvent::PaidOutside),
        _ => return None,
    };
    Some(Incoming { instance: order.to_owned(), starts, event })
}

fn from_payment(event: PaymentEvent) -> Option<Incoming<CheckoutEvent>> {
    let (order, event): (OrderId, _) = match event {
        PaymentEvent::Requested(event) => {
            let order = event.order;
            let Requested { attempt, amount, token, .. } = event;
            (order, CheckoutEvent::PaymentRequested { attempt, amount, token })
        }
        PaymentEvent::Authorized(event) => {
            (event.order, CheckoutEvent::Authorized { provider_payment_id: event.provider_payment_id })
        }
        PaymentEvent::Failed(event) => (event.order, CheckoutEvent::PaymentFailed { detail: event.detail }),
        PaymentEvent::Captured(event) => (event.order, CheckoutEvent::Captured),
        PaymentEvent::CaptureFailed(event) => {
            (event.order, CheckoutEvent::CaptureFailed { detail: event.detail })
        }
        _ => return None,
    };
    Some(Incoming { instance: order.to_string(), starts: false, event })
}
