//! The step of a settlement: a name for its provider call.

use souk_eventsourcing::process::Step;

/// The step of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlementStep {
    /// Calls the provider to release the hold or to refund the money.
    PayBack,
}

/// Recorded name of the only step.
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
