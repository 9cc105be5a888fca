//! What a settlement can ask for.

use souk_eventsourcing::process::Step;

/// A symbol for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlementStep {
    /// Have the provider let the money go, or give it back.
    PayBack,
}

/// The only step's name.
const PAY_BACK: &str = "pay-back";

impl Step for SettlementStep {
    fn name(&self) -> &'static str {
        PAY_BACK
    }

    fn number(&self) -> Option<u32> {
        None
    }

    fn parse(name: &str, number: Option<u32>) -> Option<Self> {
        (name == PAY_BACK && number.is_none()).then_some(Self::PayBack)
    }
}
