//! What a checkout knows: the terms of the order, which never change, and how far each thing is.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use souk_domain::cart::event::CartLine;
use souk_domain::money::Money;
use souk_domain::names::{CartId, OrderId, Sku};
use souk_domain::order::event::{Draft, Reason};
use souk_domain::personal_text::PersonalText;

/// The state of a checkout. Cloning it costs a byte a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that happened or not, in any order")]
pub struct CheckoutState {
    pub(super) phase: Phase,
    pub(super) terms: Option<Arc<Terms>>,
    /// The order as it is to be placed, until that is answered.
    pub(super) draft: Option<Arc<Draft>>,
    /// The lines as they stood in the cart; none for an order without one.
    pub(super) cart_lines: Arc<[CartLine]>,
    pub(super) is_placed: bool,
    /// How each line's units stand, by the line's number.
    pub(super) units: Vec<Units>,
    pub(super) payment: Payment,
    /// The token of each attempt to be paid, by its number; the last is the present one.
    pub(super) tokens: BTreeMap<u32, PersonalText>,
    pub(super) provider_payment_id: Option<String>,
    /// Whether a payment exists that has to be abandoned if the order comes to nothing.
    pub(super) is_payment_open: bool,
    /// Whether the provider was asked for the held money.
    pub(super) is_capture_asked: bool,
    pub(super) is_paid_outside: bool,
    pub(super) is_time_over: bool,
    /// A wish to cancel.
    pub(super) cancellation: Option<Reason>,
    /// The provider's words when it declined.
    pub(super) decline: Option<String>,
    /// Why the order came to nothing, once that is decided.
    pub(super) reason: Option<Reason>,
}

/// How far a checkout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Nothing was asked for.
    #[default]
    New,
    /// The order is being placed.
    Placing,
    /// Its lines are being reserved.
    Reserving,
    /// All is reserved; it waits for payment.
    Waiting,
    /// The money is held: goods and money change hands.
    Taking,
    /// What was done is being undone.
    Undoing,
    /// The order's final state was asked for.
    Ended,
}

/// How the units of a line stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Units {
    /// None is held.
    Free,
    /// They can't be had: the line's reservation or confirmation was refused, and nothing is held.
    Missing,
    /// They are reserved.
    Held,
    /// They were to be taken off the shelf, but the reservation was overdue: it may still be open.
    Overdue,
    /// They are off the shelf.
    Taken,
}

/// The state of the present attempt to be paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Payment {
    /// There is none.
    #[default]
    None,
    /// Asked for; the provider doesn't know of it.
    Requested,
    /// The provider was asked.
    Running,
    /// The provider holds the money.
    Authorized,
    /// The money is ours.
    Captured,
    /// The provider declined.
    Declined,
    /// The provider held the money but would not give it.
    CaptureFailed,
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) order: OrderId,
    pub(super) cart: Option<CartId>,
    pub(super) total: Money,
    /// The token that came with the order: then there is one attempt to be paid.
    pub(super) token: Option<PersonalText>,
    pub(super) pay_by: Timestamp,
    /// What to reserve: each SKU once.
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
}

/// The number of the first attempt to be paid.
pub(super) const FIRST_ATTEMPT: u32 = 1;

impl CheckoutState {
    /// The number of the present attempt to be paid.
    pub(super) fn attempt(&self) -> u32 {
        self.tokens.last_key_value().map_or(FIRST_ATTEMPT, |(attempt, _)| *attempt)
    }

    /// Returns true if the order costs nothing: it waits for no money, and the provider is asked for none.
    pub(super) fn is_free(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.total.amount == 0)
    }

    /// Whether the order's final state was asked for.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// The lines whose units stand like that, by number.
    pub(super) fn lines_that(&self, stand: fn(Units) -> bool) -> impl Iterator<Item = u32> {
        let numbered = (0_u32..).zip(&self.units);
        numbered.filter(move |(_, units)| stand(**units)).map(|(line, _)| line)
    }

    /// SKUs of which there was not enough.
    pub(super) fn missing_skus(&self) -> Vec<Sku> {
        let Some(terms) = &self.terms else { return Vec::new() };
        let missing = terms.lines.iter().zip(&self.units);
        let missing = missing.filter(|(_, units)| matches!(units, Units::Missing | Units::Overdue));
        missing.map(|((sku, _), _)| sku.clone()).collect()
    }
}
