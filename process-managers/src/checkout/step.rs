//! What a checkout can ask for.

use souk_eventsourcing::process::Step;

/// A symbol for it; lines are counted over the order's reservations, each SKU once, attempts to be paid
/// from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutStep {
    /// Place the order that the cart's check-out holds.
    PlaceOrder,
    /// Hold a line's units.
    Reserve(u32),
    /// Open the payment.
    RequestPayment,
    /// Tell the order that it waits for payment.
    AwaitPayment,
    /// Have the money held, for an attempt to be paid.
    Authorize(u32),
    /// Take a line's units off the shelf.
    Confirm(u32),
    /// Have the money taken.
    Capture,
    /// Tell the order that it is confirmed.
    ConfirmOrder,
    /// Let a line's held units go.
    Release(u32),
    /// Put a line's confirmed units back.
    Restock(u32),
    /// Nobody wants the payment any more.
    AbandonPayment,
    /// Put the lines back into the cart.
    GiveBack,
    /// Tell the order that it came to nothing.
    FailOrder,
    /// Waiting for payment is over.
    PaymentTimeout,
}

const PLAIN: [(CheckoutStep, &str); 9] = [
    (CheckoutStep::PlaceOrder, "place-order"),
    (CheckoutStep::RequestPayment, "request-payment"),
    (CheckoutStep::AwaitPayment, "await-payment"),
    (CheckoutStep::Capture, "capture"),
    (CheckoutStep::ConfirmOrder, "confirm-order"),
    (CheckoutStep::AbandonPayment, "abandon-payment"),
    (CheckoutStep::GiveBack, "give-back"),
    (CheckoutStep::FailOrder, "fail-order"),
    (CheckoutStep::PaymentTimeout, "payment-timeout"),
];

impl Step for CheckoutStep {
    fn name(&self) -> &'static str {
        match self {
            Self::Reserve(_) => "reserve",
            Self::Confirm(_) => "confirm",
            Self::Release(_) => "release",
            Self::Restock(_) => "restock",
            Self::Authorize(_) => "authorize",
            plain => PLAIN.iter().find(|(step, _)| step == plain).map_or("", |(_, name)| name),
        }
    }

    fn number(&self) -> Option<u32> {
        match self {
            Self::Reserve(number)
            | Self::Confirm(number)
            | Self::Release(number)
            | Self::Restock(number)
            | Self::Authorize(number) => Some(*number),
            _ => None,
        }
    }

    fn parse(name: &str, number: Option<u32>) -> Option<Self> {
        match (name, number) {
            ("reserve", Some(line)) => Some(Self::Reserve(line)),
            ("confirm", Some(line)) => Some(Self::Confirm(line)),
            ("release", Some(line)) => Some(Self::Release(line)),
            ("restock", Some(line)) => Some(Self::Restock(line)),
            ("authorize", Some(attempt)) => Some(Self::Authorize(attempt)),
            (_, Some(_)) => None,
            (_, None) => PLAIN.iter().find(|(_, known)| *known == name).map(|(step, _)| *step),
        }
    }
}
