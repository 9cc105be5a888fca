//! A payment provider that only plays: what it answers depends on the token alone.
//!
//! It keeps nothing: an answer is a function of token, payment and attempt, so that it survives a kill
//! of the shop as a real provider would.
//!
//! | token | answer |
//! | --- | --- |
//! | `tok_ok` | authorizes at once |
//! | `tok_decline` | declines |
//! | `tok_slow_<ms>` | authorizes after so many milliseconds |
//! | `tok_webhook` | accepts, and waits for the webhook |
//! | `tok_silent` | never answers |
//! | `tok_flaky_<n>` | fails n times in a retryable way, then authorizes |

use std::time::Duration;

use async_trait::async_trait;
use souk_domain::{Money, PaymentId, RefundId};
use souk_process_managers::{Answer, PaymentProvider};

/// The longest `tok_slow_<ms>` waits, in milliseconds: one day.
pub const SLOW_MS_MAX: u64 = 86_400_000;

/// What an id of this provider begins with.
const ID_PREFIX: &str = "sim_";

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedProvider;

fn provider_payment_id(payment: PaymentId) -> String {
    format!("{ID_PREFIX}{payment}")
}

fn declined(code: &str, detail: &str) -> Answer {
    Answer::Declined { code: code.to_owned(), detail: detail.to_owned() }
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn authorize(&self, payment: PaymentId, _: Money, token: &str, attempt: u32, _: &str) -> Answer {
        let provider_id = provider_payment_id(payment);
        if let Some(ms) = number(token, "tok_slow_") {
            tokio::time::sleep(Duration::from_millis(ms.min(SLOW_MS_MAX))).await;
            return Answer::Done { provider_id };
        }
        if let Some(failures) = number(token, "tok_flaky_") {
            return if u64::from(attempt) > failures {
                Answer::Done { provider_id }
            } else {
                Answer::Retry { detail: format!("failure {attempt} of {failures}, as the token asks") }
            };
        }
        match token {
            "tok_ok" => Answer::Done { provider_id },
            "tok_decline" => declined("card-declined", "the card was declined"),
            "tok_webhook" => Answer::Accepted { provider_id },
            "tok_silent" => std::future::pending().await,
            _ => declined("unknown-token", "the simulated provider does not know this token"),
        }
    }

    async fn capture(&self, provider_payment_id: &str, _: Money, _: &str) -> Answer {
        Answer::Done { provider_id: provider_payment_id.to_owned() }
    }

    async fn void(&self, provider_payment_id: &str, _: &str) -> Answer {
        Answer::Done { provider_id: provider_payment_id.to_owned() }
    }

    async fn refund(&self, _: &str, refund: RefundId, _: Money, _: &str) -> Answer {
        Answer::Done { provider_id: format!("{ID_PREFIX}refund_{refund}") }
    }

    async fn find_payment(&self, provider_payment_id: &str) -> Option<PaymentId> {
        provider_payment_id.strip_prefix(ID_PREFIX)?.parse().ok().map(PaymentId)
    }
}

fn number(token: &str, prefix: &str) -> Option<u64> {
    token.strip_prefix(prefix)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use souk_domain::Currency;
    use uuid::Uuid;

    use super::*;

    const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(7));

    async fn authorize(token: &str, attempt: u32) -> Answer {
        SimulatedProvider.authorize(PAYMENT, Money::new(100, Currency::GBP), token, attempt, "key").await
    }

    #[tokio::test]
    async fn the_token_decides() {
        assert!(matches!(authorize("tok_ok", 1).await, Answer::Done { .. }));
        assert!(matches!(authorize("tok_slow_1", 1).await, Answer::Done { .. }));
        assert!(matches!(authorize("tok_webhook", 1).await, Answer::Accepted { .. }));
        assert!(matches!(authorize("tok_decline", 1).await, Answer::Declined { .. }));
        assert!(matches!(authorize("tok_4242", 1).await, Answer::Declined { .. }));
    }

    #[tokio::test]
    async fn a_flaky_token_fails_as_often_as_it_says() {
        assert!(matches!(authorize("tok_flaky_2", 2).await, Answer::Retry { .. }));
        assert!(matches!(authorize("tok_flaky_2", 3).await, Answer::Done { .. }));
    }

    #[tokio::test]
    async fn a_silent_token_never_answers() {
        let answer = tokio::time::timeout(Duration::from_millis(20), authorize("tok_silent", 1)).await;
        assert!(answer.is_err());
    }

    #[tokio::test]
    async fn a_payment_is_found_by_the_providers_id() {
        let Answer::Done { provider_id } = authorize("tok_ok", 1).await else { panic!("it authorizes") };
        assert_eq!(SimulatedProvider.find_payment(&provider_id).await, Some(PAYMENT));
        assert_eq!(SimulatedProvider.find_payment("pay_other").await, None);
    }
}
