//! Builds the provider call that the step of a settlement stands for.

use crate::provider_call::ProviderCall;
use souk_domain::PaymentId;

use super::state::{Debt, DebtKind, SettlementState};

/// Returns the provider call; `None` before the void or refund is known.
pub fn effect(state: &SettlementState) -> Option<ProviderCall> {
    let debt = state.debt.as_ref()?;
    let Debt { order, amount, attempt, .. } = *debt;
    let payment = PaymentId::of(order);
    let provider_payment_id = debt.provider_payment_id.clone();
    Some(match debt.kind {
        DebtKind::Void(void) => ProviderCall::Void { payment, provider_payment_id, void, attempt },
        DebtKind::Refund(refund) => {
            ProviderCall::Refund { payment, provider_payment_id, refund, amount, attempt }
        }
    })
}
