//! The provider's ids of payments: `sim_PAYMENT`, then `-ATTEMPT` from the second attempt on, then
//! `.BEHAVIOUR` where the token asks for one. Refunds are `sim_refund_REFUND`.

use std::fmt;

use souk_domain::{PaymentId, RefundId};
use uuid::Uuid;

/// The beginning of every id.
const PREFIX: &str = "sim_";
/// The beginning of every id of a refund.
const REFUND_PREFIX: &str = "sim_refund_";
/// The length of a payment's id.
const PAYMENT_CHARS: usize = 36;
/// Tokens, without `tok_`, that the provider has to know of later; `*` stands for a number.
const BEHAVIOURS: [&str; 6] = [
    "refund_declined",
    "refund_declined_*",
    "refund_slow_*",
    "capture_declined",
    "void_declined",
    "void_declined_*",
];

/// An id of the provider, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaymentRef<'a> {
    pub(crate) payment: PaymentId,
    pub(crate) attempt: u32,
    pub(crate) behaviour: Option<&'a str>,
}

impl<'a> PaymentRef<'a> {
    /// The behaviour that a token asks for.
    pub(crate) fn behaviour(token: &'a str) -> Option<&'a str> {
        let name = token.strip_prefix("tok_")?;
        let is_known = BEHAVIOURS.into_iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => number(name, prefix).is_some(),
            None => name == known,
        });
        is_known.then_some(name)
    }

    /// The behaviour that stands in an id of the provider; empty when there is none.
    pub(crate) fn behaviour_of(id: &str) -> &str {
        id.split_once('.').map_or("", |(_, behaviour)| behaviour)
    }

    /// Reads the text that [`fmt::Display`] writes.
    pub(crate) fn parse(id: &'a str) -> Option<Self> {
        let rest = id.strip_prefix(PREFIX)?;
        let (rest, behaviour) =
            rest.split_once('.').map_or((rest, None), |(rest, behaviour)| (rest, Some(behaviour)));
        let (payment, attempt) = rest.split_at_checked(PAYMENT_CHARS)?;
        let attempt = match attempt.strip_prefix('-') {
            Some(number) => number.parse().ok()?,
            None if attempt.is_empty() => 1,
            None => return None,
        };
        let read = Self { payment: PaymentId(Uuid::parse_str(payment).ok()?), attempt, behaviour };
        // One payment has one id: other spellings of it are ids of nothing.
        (read.to_string() == id).then_some(read)
    }
}

/// The provider's id of a refund.
pub(crate) fn refund_id(refund: RefundId) -> String {
    format!("{REFUND_PREFIX}{refund}")
}

/// Reads what [`refund_id`] writes.
pub(crate) fn read_refund_id(id: &str) -> Option<RefundId> {
    let refund = RefundId(Uuid::parse_str(id.strip_prefix(REFUND_PREFIX)?).ok()?);
    (refund_id(refund) == id).then_some(refund)
}

impl fmt::Display for PaymentRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.payment)?;
        if self.attempt > 1 {
            write!(f, "-{}", self.attempt)?;
        }
        self.behaviour.map_or(Ok(()), |behaviour| write!(f, ".{behaviour}"))
    }
}

/// The number behind a prefix.
pub(crate) fn number(text: &str, prefix: &str) -> Option<u64> {
    text.strip_prefix(prefix)?.parse().ok()
}
