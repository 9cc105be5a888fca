//! The provider's ids. A payment's id is `sim_PAYMENT`, followed by `-ATTEMPT` from the second attempt on,
//! and by `.BEHAVIOUR` if the token has a behaviour for later calls. A refund's id is `sim_refund_REFUND`.

use std::fmt;

use souk_domain::{PaymentId, RefundId};

/// Prefix of every id.
const PREFIX: &str = "sim_";
/// Prefix of the id of a refund.
const REFUND_PREFIX: &str = "sim_refund_";
/// Length of a UUID in its usual form.
const PAYMENT_CHARS: usize = 36;
/// Tokens, without `tok_`, that affect later calls. `*` stands for a number.
const BEHAVIOURS: [&str; 6] = [
    "refund_declined",
    "refund_declined_*",
    "refund_slow_*",
    "capture_declined",
    "void_declined",
    "void_declined_*",
];

/// The parts of the provider's id of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaymentRef<'a> {
    pub(crate) payment: PaymentId,
    pub(crate) attempt: u32,
    pub(crate) behaviour: Option<&'a str>,
}

impl<'a> PaymentRef<'a> {
    /// Returns the behaviour that a token sets for later calls; `None` if it sets none.
    pub(crate) fn behaviour(token: &'a str) -> Option<&'a str> {
        let name = token.strip_prefix("tok_")?;
        let is_known = BEHAVIOURS.into_iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => number(name, prefix).is_some(),
            None => name == known,
        });
        is_known.then_some(name)
    }

    /// Returns the behaviour in the provider's id of a payment, or an empty text if it has none.
    pub(crate) fn behaviour_of(id: &str) -> &str {
        id.split_once('.').map_or("", |(_, behaviour)| behaviour)
    }

    /// Parses the form that [`fmt::Display`] writes.
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
        let parsed = Self { payment: PaymentId::parse(payment).ok()?, attempt, behaviour };
        // Every id has one spelling. Any other spelling, for example with capital letters, is not an id.
        (parsed.to_string() == id).then_some(parsed)
    }
}

/// Returns the provider's id of a refund.
pub(crate) fn refund_id(refund: RefundId) -> String {
    format!("{REFUND_PREFIX}{refund}")
}

/// Parses the form that [`refund_id`] writes.
pub(crate) fn parse_refund_id(id: &str) -> Option<RefundId> {
    RefundId::parse(id.strip_prefix(REFUND_PREFIX)?).ok()
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

/// Returns the number after a prefix; `None` if the text is not the prefix and a number.
pub(crate) fn number(text: &str, prefix: &str) -> Option<u64> {
    text.strip_prefix(prefix)?.parse().ok()
}
