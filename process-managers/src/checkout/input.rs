//! What a checkout takes in.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Incoming;
use souk_eventsourcing::{DecodeError, RecordedEvent};

use souk_domain::cart::CartEvent;
use souk_domain::cart::event::CartLine;
use souk_domain::money::Money;
use souk_domain::names::OrderId;
use souk_domain::order::OrderEvent;
use souk_domain::order::event::{Draft, Reason};
use souk_domain::payment::PaymentEvent;
use souk_domain::personal_text::PersonalText;

/// The types of the events it takes.
pub const TAKES: [&str; 9] = [
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

/// What it reads of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckoutEvent {
    /// A cart became an order to be.
    CheckedOut {
        /// The order to be.
        draft: Box<Draft>,
        /// The lines as they stood in the cart.
        lines: Vec<CartLine>,
    },
    /// The order was placed.
    Placed {
        /// The whole of it.
        draft: Box<Draft>,
    },
    /// Somebody wants it no more.
    CancellationRequested {
        /// Who and why.
        reason: Reason,
    },
    /// It was paid outside.
    PaidOutside,
    /// An attempt to be paid began.
    PaymentRequested {
        /// Its number, from 1.
        attempt: u32,
        /// How much.
        amount: Money,
        /// The provider's token.
        token: PersonalText,
    },
    /// The provider holds the money.
    Authorized {
        /// The provider's id of the payment.
        provider_payment_id: String,
    },
    /// The present attempt came to nothing.
    PaymentFailed {
        /// In words.
        detail: String,
    },
    /// The money is ours.
    Captured,
    /// The provider would not give what it held.
    CaptureFailed {
        /// In words.
        detail: String,
    },
}

/// Which order's checkout an event is for.
pub fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<CheckoutEvent>>, DecodeError> {
    match recorded.stream.category() {
        "cart" => Ok(of_cart(recorded.decode()?)),
        "order" => Ok(of_order(recorded.stream.id(), recorded.decode()?)),
        "payment" => Ok(of_payment(recorded.decode()?)),
        _ => Ok(None),
    }
}

fn of_cart(event: CartEvent) -> Option<Incoming<CheckoutEvent>> {
    let CartEvent::CheckedOut(event) = event else { return None };
    let (instance, draft) = (event.draft.order.to_string(), Box::new(event.draft));
    Some(Incoming { instance, starts: true, event: CheckoutEvent::CheckedOut { draft, lines: event.lines } })
}

fn of_order(order: &str, event: OrderEvent) -> Option<Incoming<CheckoutEvent>> {
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

fn of_payment(event: PaymentEvent) -> Option<Incoming<CheckoutEvent>> {
    let (order, event): (OrderId, _) = match event {
        PaymentEvent::Requested(event) => {
            let (attempt, amount, token) = (event.attempt, event.amount, event.token);
            (event.order, CheckoutEvent::PaymentRequested { attempt, amount, token })
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
