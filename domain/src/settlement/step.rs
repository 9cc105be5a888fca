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

    fn line(&self) -> Option<u32> {
        None
    }

    fn parse(name: &str, line: Option<u32>) -> Option<Self> {
        (name == PAY_BACK && line.is_none()).then_some(Self::PayBack)
    }
}
