//! Steps of a checkout: names for its commands, provider calls and timers.

use souk_eventsourcing::process::Step;

/// A step of a checkout. A line's number counts the SKUs that the order reserves, from 0, each SKU once. An
/// attempt's number counts the payment attempts, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutStep {
    /// Places the order that the cart's `checked-out` event holds.
    PlaceOrder,
    /// Reserves the units of a line.
    Reserve(u32),
    /// Requests the payment.
    RequestPayment,
    /// Marks the order as waiting for payment.
    AwaitPayment,
    /// Calls the provider to hold the money, for a payment attempt.
    Authorize(u32),
    /// Confirms the reservation of a line: its units leave the shelf.
    Confirm(u32),
    /// Calls the provider to capture the held money.
    Capture,
    /// Confirms the order.
    ConfirmOrder,
    /// Releases the reservation of a line.
    Release(u32),
    /// Puts a line's confirmed units back on the shelf.
    Restock(u32),
    /// Abandons the payment: its money is voided or refunded.
    AbandonPayment,
    /// Puts the lines back into the cart.
    GiveBack,
    /// Ends the order as cancelled or timed out.
    FailOrder,
    /// Timer that ends the wait for payment.
    PaymentTimeout,
}

/// The steps without a number, and their recorded names.
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
