//! State of a checkout: the terms of the order, which never change, and the progress of its lines and
//! payment.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use souk_domain::cart::event::CartLine;
use souk_domain::money::Money;
use souk_domain::order::event::{Draft, Reason};
use souk_domain::personal_text::PersonalText;
use souk_domain::{CartId, OrderId, Sku};

/// State of a checkout. A clone copies one byte per order line; larger parts are shared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the events that set these flags come in any order")]
pub struct CheckoutState {
    pub(super) phase: Phase,
    pub(super) terms: Option<Arc<Terms>>,
    /// The complete order, until the command that places it has its answer.
    pub(super) draft: Option<Arc<Draft>>,
    /// Lines as they were in the cart; empty for an order without a cart.
    pub(super) cart_lines: Arc<[CartLine]>,
    pub(super) is_placed: bool,
    /// State of each line's units, by the number of the line.
    pub(super) units: Vec<Units>,
    pub(super) payment: Payment,
    /// Payment token of each attempt, by the attempt's number. The last one is the current attempt.
    pub(super) tokens: BTreeMap<u32, PersonalText>,
    pub(super) provider_payment_id: Option<String>,
    /// True if a payment exists, or can still be requested, that must be abandoned if the order fails.
    pub(super) is_payment_open: bool,
    /// True once the provider was asked to capture the held money.
    #[serde(rename = "is_capture_asked")]
    pub(super) is_capture_requested: bool,
    pub(super) is_paid_outside: bool,
    pub(super) is_time_over: bool,
    /// Reason of a cancellation request, if the buyer or the shop made one.
    pub(super) cancellation: Option<Reason>,
    /// The provider's text for its last decline.
    pub(super) decline: Option<String>,
    /// Reason why the order is cancelled, once that is decided.
    pub(super) reason: Option<Reason>,
}

/// Phase of a checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Nothing is requested yet.
    #[default]
    New,
    /// The command that places the order has no answer yet.
    Placing,
    /// The lines are being reserved.
    Reserving,
    /// All lines are reserved; the checkout waits for the payment.
    Waiting,
    /// The reservations are being confirmed and the money is being captured.
    #[serde(rename = "taking")]
    Capturing,
    /// The commands that undo the order were sent.
    Undoing,
    /// The command that gives the order its final state was sent.
    Ended,
}

/// State of the units of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Units {
    /// Nothing is reserved.
    Free,
    /// The reservation or its confirmation was refused, and nothing is reserved.
    Missing,
    /// The units are reserved.
    #[serde(rename = "held")]
    Reserved,
    /// The confirmation was refused because the reservation is overdue; the reservation may still be open.
    Overdue,
    /// The reservation is confirmed: the units left the shelf.
    #[serde(rename = "taken")]
    Confirmed,
}

/// State of the current payment attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Payment {
    /// No attempt was requested.
    #[default]
    None,
    /// The attempt was requested, but the provider was not called yet.
    Requested,
    /// The provider was called to authorize the attempt.
    #[serde(rename = "running")]
    Authorizing,
    /// The provider holds the money.
    Authorized,
    /// The money was captured.
    Captured,
    /// The provider declined the attempt.
    Declined,
    /// The provider held the money but refused to capture it.
    CaptureFailed,
}

/// Terms of the order that the buyer agreed to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) order: OrderId,
    pub(super) cart: Option<CartId>,
    pub(super) total: Money,
    /// Payment token that came with the order. With such a token the order has a single payment attempt.
    pub(super) token: Option<PersonalText>,
    pub(super) pay_by: Timestamp,
    /// Units to reserve, each SKU once.
    pub(super) lines: Vec<(Sku, u32)>,
}

impl Terms {
    pub(super) fn of(draft: &Draft) -> Self {
        Self {
            order: draft.order,
            cart: draft.cart,
            total: draft.total,
            token: draft.payment_token.clone(),
            pay_by: draft.pay_by,
            lines: draft.reservations(),
        }
    }

    /// Returns true if a decline of the first payment attempt ends the order. The buyer sent the payment
    /// token with the order, so nobody will request another attempt.
    pub(super) fn has_single_attempt(&self) -> bool {
        self.token.is_some()
    }
}

/// Number of the first payment attempt.
pub(super) const FIRST_ATTEMPT: u32 = 1;

impl CheckoutState {
    /// Returns the number of the current payment attempt.
    pub(super) fn attempt(&self) -> u32 {
        self.tokens.last_key_value().map_or(FIRST_ATTEMPT, |(attempt, _)| *attempt)
    }

    /// Returns true if a decline ends the order, because it has a single payment attempt.
    pub(super) fn has_single_attempt(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.has_single_attempt())
    }

    /// Returns true if the order costs nothing. Such an order needs no payment, and the provider is never
    /// called.
    pub(super) fn is_free(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.total.amount == 0)
    }

    /// Returns true once the command that gives the order its final state was sent.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Returns the numbers of the lines whose units are in a matching state.
    pub(super) fn lines_where(&self, is_match: fn(Units) -> bool) -> impl Iterator<Item = u32> {
        let numbered = (0_u32..).zip(&self.units);
        numbered.filter(move |(_, units)| is_match(**units)).map(|(line, _)| line)
    }

    /// Returns the SKUs that were short in stock.
    pub(super) fn missing_skus(&self) -> Vec<Sku> {
        let Some(terms) = &self.terms else { return Vec::new() };
        let lines = terms.lines.iter().zip(&self.units);
        let missing = lines.filter(|(_, units)| matches!(units, Units::Missing | Units::Overdue));
        missing.map(|((sku, _), _)| sku.clone()).collect()
    }
}
