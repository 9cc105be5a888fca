//! The effect that a settlement's step stands for.

use crate::names::PaymentId;
use crate::provider::ProviderCall;

use super::state::{DebtKind, SettlementState};

/// The effect of the only step.
pub fn effect(state: &SettlementState) -> Option<ProviderCall> {
    let debt = state.debt.as_ref()?;
    let (payment, provider_payment_id) = (PaymentId::of(debt.order), debt.provider_payment_id.clone());
    Some(match debt.kind {
        DebtKind::Void(void) => ProviderCall::Void { payment, provider_payment_id, void },
        DebtKind::Refund(refund) => {
            ProviderCall::Refund { payment, provider_payment_id, refund, amount: debt.amount }
        }
    })
}
