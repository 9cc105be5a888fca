//! A simulated payment provider. The payment token decides its answers.
//!
//! The provider has no state: an answer depends only on the call and on the number of earlier calls. So its
//! answers stay the same after a crash of the shop, as with a real provider. If a token decides about
//! captures, voids or refunds, this behaviour is part of the provider's id of the payment.
//!
//! | token | effect |
//! | --- | --- |
//! | `tok_ok` | authorizes at once |
//! | `tok_decline` | declines |
//! | `tok_slow_<ms>` | authorizes after this number of milliseconds |
//! | `tok_webhook` | accepts the authorization; a webhook must report its result |
//! | `tok_silent` | never answers |
//! | `tok_flaky_<n>` | fails n times with an error that may be retried, then authorizes |
//! | `tok_refund_declined` | authorizes, and declines every refund |
//! | `tok_refund_declined_<n>` | authorizes, and declines a refund n times before it accepts it |
//! | `tok_refund_slow_<ms>` | authorizes, and accepts refunds after this number of milliseconds |
//! | `tok_capture_declined` | authorizes, and declines the capture |
//! | `tok_void_declined` | authorizes, and declines every void |
//! | `tok_void_declined_<n>` | authorizes, and declines a void n times before it accepts it |

mod ids;

use std::time::Duration;

use async_trait::async_trait;
use souk_domain::RefundId;
use souk_process_managers::{Authorization, ProviderCall};
use souk_process_managers::{FoundPayment, PaymentProvider, ProviderAnswer};

use ids::{PaymentRef, number};

/// Limit of the delay of `tok_slow_<ms>` and `tok_refund_slow_<ms>`, in milliseconds: one day.
pub const SLOW_MS_MAX: u64 = 86_400_000;

/// The simulated payment provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedProvider;

fn declined(code: &str, detail: &str) -> ProviderAnswer {
    ProviderAnswer::Declined { code: code.to_owned(), detail: detail.to_owned() }
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms.min(SLOW_MS_MAX))).await;
}

async fn authorize(authorization: &Authorization, call: u32) -> ProviderAnswer {
    let Authorization { payment, attempt, token, .. } = authorization;
    let token = token.plain().unwrap_or_default();
    let payment =
        PaymentRef { payment: *payment, attempt: *attempt, behaviour: PaymentRef::behaviour(token) };
    let done = || ProviderAnswer::Done { provider_id: payment.to_string() };
    if payment.behaviour.is_some() {
        return done();
    }
    if let Some(ms) = number(token, "tok_slow_") {
        wait(ms).await;
        return done();
    }
    if let Some(failures) = number(token, "tok_flaky_") {
        let detail = format!("failure {call} of {failures}, as the token asks");
        return if u64::from(call) > failures { done() } else { ProviderAnswer::Retry { detail } };
    }
    match token {
        "tok_ok" => done(),
        "tok_decline" => declined("card-declined", "the card was declined"),
        "tok_webhook" => ProviderAnswer::Accepted { provider_id: payment.to_string() },
        "tok_silent" => std::future::pending().await,
        _ => declined("unknown-token", "the simulated provider does not know this token"),
    }
}

/// Returns true if a behaviour declines this attempt of a refund or void. `NAME` declines every attempt,
/// `NAME_n` the first n.
fn declines(behaviour: &str, name: &str, attempt: u32) -> bool {
    let times = number(behaviour, &format!("{name}_"));
    behaviour == name || times.is_some_and(|times| u64::from(attempt) <= times)
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn call(&self, call: &ProviderCall, number: u32, _: &str) -> ProviderAnswer {
        match call {
            ProviderCall::Authorize(authorization) => authorize(authorization, number).await,
            ProviderCall::Capture { provider_payment_id, .. } => {
                if PaymentRef::behaviour_of(provider_payment_id) == "capture_declined" {
                    return declined("capture-declined", "the held amount can't be captured");
                }
                ProviderAnswer::Done { provider_id: provider_payment_id.clone() }
            }
            ProviderCall::Void { provider_payment_id, attempt, .. } => {
                if declines(PaymentRef::behaviour_of(provider_payment_id), "void_declined", *attempt) {
                    return declined("void-declined", "the held amount can't be released");
                }
                ProviderAnswer::Done { provider_id: provider_payment_id.clone() }
            }
            ProviderCall::Refund { provider_payment_id, refund, attempt, .. } => {
                let behaviour = PaymentRef::behaviour_of(provider_payment_id);
                if let Some(ms) = ids::number(behaviour, "refund_slow_") {
                    wait(ms).await;
                }
                if declines(behaviour, "refund_declined", *attempt) {
                    return declined("refund-declined", "the account is closed");
                }
                ProviderAnswer::Done { provider_id: ids::refund_id(*refund) }
            }
        }
    }

    async fn find_payment(&self, provider_payment_id: &str) -> Option<FoundPayment> {
        let PaymentRef { payment, attempt, .. } = PaymentRef::parse(provider_payment_id)?;
        Some(FoundPayment { payment, attempt })
    }

    async fn find_refund(&self, provider_refund_id: &str) -> Option<RefundId> {
        ids::parse_refund_id(provider_refund_id)
    }
}

#[cfg(test)]
mod tests;
