//! A simulated payment provider: the token decides what it answers.
//!
//! It keeps nothing: an answer is a function of the call and its number, so that it survives a kill of the
//! shop as a real provider would. What a token says about captures, voids and refunds stands in the
//! provider's id of the payment.
//!
//! | token | answer |
//! | --- | --- |
//! | `tok_ok` | authorizes at once |
//! | `tok_decline` | declines |
//! | `tok_slow_<ms>` | authorizes after so many milliseconds |
//! | `tok_webhook` | accepts, and waits for the webhook |
//! | `tok_silent` | never answers |
//! | `tok_flaky_<n>` | fails n times in a retryable way, then authorizes |
//! | `tok_refund_declined` | authorizes, and declines every refund |
//! | `tok_refund_declined_<n>` | authorizes, and declines a refund n times before it gives it |
//! | `tok_refund_slow_<ms>` | authorizes, and gives refunds after so many milliseconds |
//! | `tok_capture_declined` | authorizes, and declines the capture |
//! | `tok_void_declined` | authorizes, and declines to let the money go |
//! | `tok_void_declined_<n>` | authorizes, and declines n times to let the money go |

mod ids;

use std::time::Duration;

use async_trait::async_trait;
use souk_domain::RefundId;
use souk_process_managers::{Answer, FoundPayment, PaymentProvider};
use souk_process_managers::{Authorization, ProviderCall};

use ids::{PaymentRef, number};

/// The longest `tok_slow_<ms>` and `tok_refund_slow_<ms>` wait, in milliseconds: one day.
pub const SLOW_MS_MAX: u64 = 86_400_000;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedProvider;

fn declined(code: &str, detail: &str) -> Answer {
    Answer::Declined { code: code.to_owned(), detail: detail.to_owned() }
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms.min(SLOW_MS_MAX))).await;
}

async fn authorize(authorization: &Authorization, call: u32) -> Answer {
    let Authorization { payment, attempt, token, .. } = authorization;
    let token = token.plain().unwrap_or_default();
    let payment =
        PaymentRef { payment: *payment, attempt: *attempt, behaviour: PaymentRef::behaviour(token) };
    let done = || Answer::Done { provider_id: payment.to_string() };
    if payment.behaviour.is_some() {
        return done();
    }
    if let Some(ms) = number(token, "tok_slow_") {
        wait(ms).await;
        return done();
    }
    if let Some(failures) = number(token, "tok_flaky_") {
        let detail = format!("failure {call} of {failures}, as the token asks");
        return if u64::from(call) > failures { done() } else { Answer::Retry { detail } };
    }
    match token {
        "tok_ok" => done(),
        "tok_decline" => declined("card-declined", "the card was declined"),
        "tok_webhook" => Answer::Accepted { provider_id: payment.to_string() },
        "tok_silent" => std::future::pending().await,
        _ => declined("unknown-token", "the simulated provider does not know this token"),
    }
}

/// Returns true if a behaviour declines the attempt of a refund or void: always, or so many times.
fn declines(behaviour: &str, name: &str, attempt: u32) -> bool {
    let times = number(behaviour, &format!("{name}_"));
    behaviour == name || times.is_some_and(|times| u64::from(attempt) <= times)
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn call(&self, call: &ProviderCall, number: u32, _: &str) -> Answer {
        match call {
            ProviderCall::Authorize(authorization) => authorize(authorization, number).await,
            ProviderCall::Capture { provider_payment_id, .. } => {
                if PaymentRef::behaviour_of(provider_payment_id) == "capture_declined" {
                    return declined("capture-declined", "the held money is not given");
                }
                Answer::Done { provider_id: provider_payment_id.clone() }
            }
            ProviderCall::Void { provider_payment_id, attempt, .. } => {
                if declines(PaymentRef::behaviour_of(provider_payment_id), "void_declined", *attempt) {
                    return declined("void-declined", "the held money is not let go");
                }
                Answer::Done { provider_id: provider_payment_id.clone() }
            }
            ProviderCall::Refund { provider_payment_id, refund, attempt, .. } => {
                let behaviour = PaymentRef::behaviour_of(provider_payment_id);
                if let Some(ms) = ids::number(behaviour, "refund_slow_") {
                    wait(ms).await;
                }
                if declines(behaviour, "refund_declined", *attempt) {
                    return declined("refund-declined", "the account is closed");
                }
                Answer::Done { provider_id: ids::refund_id(*refund) }
            }
        }
    }

    async fn find_payment(&self, provider_payment_id: &str) -> Option<FoundPayment> {
        let PaymentRef { payment, attempt, .. } = PaymentRef::parse(provider_payment_id)?;
        Some(FoundPayment { payment, attempt })
    }

    async fn find_refund(&self, provider_refund_id: &str) -> Option<RefundId> {
        ids::read_refund_id(provider_refund_id)
    }
}

#[cfg(test)]
mod tests;
