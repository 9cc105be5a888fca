//! Carries out provider calls and hands the answers to the payment.
//!
//! A call that fails in a retryable way is repeated with growing waits under the same idempotency key.
//! Asking for a hold gives up after a while, since an order waits only so long. Taking what is held and
//! giving it back never do: until the provider answers, nobody knows whose the money is. However late an
//! answer comes, it goes to the payment, which knows what it still means.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::{PaymentId, ProviderCall};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::reactor::{Reaction, Reactor};
use souk_eventsourcing::{Decider, StreamName};

use crate::commands::{Sent, ShopPorts};
use crate::provider::{Answer, PaymentProvider};
use crate::retry::wait_after;

/// Calls to authorize, before it counts as declined.
pub const PAYMENT_ATTEMPTS_MAX: u32 = 8;

/// The reactor to what processes ask of the payment provider.
pub struct Effects {
    provider: Arc<dyn PaymentProvider>,
    ports: ShopPorts,
    call_max: Duration,
}

impl Effects {
    /// Effects on a provider whose calls take at most `call_max` each.
    pub fn new(provider: Arc<dyn PaymentProvider>, ports: ShopPorts, call_max: Duration) -> Self {
        Self { provider, ports, call_max }
    }

    async fn call(&self, call: &ProviderCall, asked: &Origin) -> Option<(Answer, u32)> {
        let key = asked.command_id.to_string();
        let mut attempt = 1;
        loop {
            let called = tokio::time::timeout(self.call_max, self.call_once(call, attempt, &key)).await;
            let answer = match called {
                Ok(answer) => answer,
                // By now the order waits no longer; money that is held or taken is asked about again.
                Err(_) if gives_up(call) => return None,
                Err(_) => Answer::Retry { detail: "there was no answer in time".to_owned() },
            };
            let Answer::Retry { detail } = &answer else { return Some((answer, attempt)) };
            if attempt == PAYMENT_ATTEMPTS_MAX && gives_up(call) {
                let (code, detail) = ("provider-unavailable".to_owned(), detail.clone());
                return Some((Answer::Declined { code, detail }, attempt));
            }
            tracing::info!(payment = %call.payment(), attempt, detail, "the payment provider will be asked again");
            tokio::time::sleep(wait_after(attempt, asked.command_id)).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn call_once(&self, call: &ProviderCall, attempt: u32, key: &str) -> Answer {
        match call {
            ProviderCall::Authorize { payment, amount, token } => {
                self.provider.authorize(*payment, *amount, token, attempt, key).await
            }
            ProviderCall::Capture { provider_payment_id, amount, .. } => {
                self.provider.capture(provider_payment_id, *amount, key).await
            }
            ProviderCall::Void { provider_payment_id, .. } => {
                self.provider.void(provider_payment_id, key).await
            }
            ProviderCall::Refund { provider_payment_id, refund, amount, .. } => {
                self.provider.refund(provider_payment_id, *refund, *amount, key).await
            }
        }
    }
}

#[async_trait]
impl Reactor<ProviderCall> for Effects {
    async fn react(&self, call: &ProviderCall, asked: &Origin) -> Reaction {
        let Some((answer, attempts)) = self.call(call, asked).await else { return Reaction::NoAnswer };
        let Some(command) = record(call, answer, attempts) else { return Reaction::NothingNew };
        souk_fail_points::pass("effect-before-record");
        let origin = Origin { actor: Actor::new("provider", self.provider.name()), ..asked.clone() };
        match self.ports.send_payment(payment_stream(call.payment()), command, &origin).await {
            Sent::InLog => Reaction::InLog,
            Sent::Answered(_) => Reaction::NothingNew,
        }
    }
}

/// The stream of a payment.
pub fn payment_stream(payment: PaymentId) -> StreamName {
    StreamName::new(Payment::CATEGORY, &payment.to_string())
}

fn gives_up(call: &ProviderCall) -> bool {
    matches!(call, ProviderCall::Authorize { .. })
}

/// What the payment is told; none when there is nothing to tell.
fn record(call: &ProviderCall, answer: Answer, attempts: u32) -> Option<PaymentCommand> {
    Some(match (call, answer) {
        (ProviderCall::Authorize { .. }, Answer::Done { provider_id }) => {
            PaymentCommand::RecordAuthorized { provider_payment_id: provider_id, attempts }
        }
        (ProviderCall::Authorize { .. }, Answer::Accepted { provider_id }) => {
            PaymentCommand::RecordAccepted { provider_payment_id: provider_id }
        }
        (ProviderCall::Authorize { .. }, Answer::Declined { code, detail }) => {
            PaymentCommand::RecordFailed { code, detail, attempts }
        }
        (ProviderCall::Capture { .. }, Answer::Done { .. }) => PaymentCommand::RecordCaptured,
        (ProviderCall::Capture { .. }, Answer::Declined { code, detail }) => {
            PaymentCommand::RecordCaptureFailed { code, detail }
        }
        // A hold that the provider can't let go is gone already.
        (ProviderCall::Void { void, .. }, Answer::Done { .. } | Answer::Declined { .. }) => {
            PaymentCommand::RecordVoided { void: *void }
        }
        (ProviderCall::Refund { refund, .. }, Answer::Done { provider_id }) => {
            PaymentCommand::RecordRefunded { refund: *refund, provider_refund_id: provider_id }
        }
        (ProviderCall::Refund { refund, .. }, Answer::Declined { code, detail }) => {
            PaymentCommand::RecordRefundFailed { refund: *refund, code, detail }
        }
        (_, Answer::Retry { .. } | Answer::Accepted { .. }) => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use souk_domain::{Currency, Money, OrderId, RefundId};
    use souk_eventsourcing::store::FoundCommand;
    use souk_eventsourcing::{
        CommandError, CommandPort, CommandRequest, CorrelationId, Loaded, Outcome, StoreError,
    };
    use uuid::Uuid;

    use super::*;

    /// A provider that fails in a retryable way so often, then does what it is asked.
    struct Failing {
        failures: u32,
        calls: AtomicU32,
    }

    impl Failing {
        fn answer(&self) -> Answer {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let done = || Answer::Done { provider_id: "p".to_owned() };
            if call < self.failures { Answer::Retry { detail: "busy".to_owned() } } else { done() }
        }
    }

    #[async_trait]
    impl PaymentProvider for Failing {
        fn name(&self) -> &'static str {
            "failing"
        }

        async fn authorize(&self, _: PaymentId, _: Money, _: &str, _: u32, _: &str) -> Answer {
            self.answer()
        }

        async fn capture(&self, _: &str, _: Money, _: &str) -> Answer {
            self.answer()
        }

        async fn void(&self, _: &str, _: &str) -> Answer {
            self.answer()
        }

        async fn refund(&self, _: &str, _: RefundId, _: Money, _: &str) -> Answer {
            self.answer()
        }

        async fn find_payment(&self, _: &str) -> Option<PaymentId> {
            None
        }
    }

    /// Aggregates that nobody asks.
    struct Nobody;

    #[async_trait]
    impl<D: Decider> CommandPort<D> for Nobody {
        async fn execute(
            &self,
            _: CommandRequest<D::Command>,
        ) -> Result<Outcome<D>, CommandError<D::Rejection>> {
            unreachable!("these tests look at the provider's answer")
        }

        async fn find(
            &self,
            _: &StreamName,
            _: &Origin,
        ) -> Result<Option<FoundCommand>, CommandError<D::Rejection>> {
            Ok(None)
        }

        async fn load(&self, _: &StreamName) -> Result<Option<Loaded<D>>, StoreError> {
            Ok(None)
        }
    }

    async fn answer_after(failures: u32, call: ProviderCall) -> (Answer, u32) {
        let provider = Arc::new(Failing { failures, calls: AtomicU32::new(0) });
        let ports = ShopPorts {
            carts: Arc::new(Nobody),
            orders: Arc::new(Nobody),
            payments: Arc::new(Nobody),
            stock: Arc::new(Nobody),
        };
        let id = Uuid::from_u128(1);
        let origin = Origin::new(id, Actor::new("process", "checkout"), CorrelationId::from(id));
        let effects = Effects::new(provider, ports, Duration::from_secs(60));
        effects.call(&call, &origin).await.expect("the provider answers at once")
    }

    fn payment() -> PaymentId {
        PaymentId::of(OrderId(Uuid::from_u128(7)))
    }

    fn pound() -> Money {
        Money::new(100, Currency::GBP)
    }

    #[tokio::test(start_paused = true)]
    async fn asking_for_a_hold_gives_up() {
        let authorize = || ProviderCall::Authorize { payment: payment(), amount: pound(), token: "t".into() };
        let (answer, attempts) = answer_after(PAYMENT_ATTEMPTS_MAX - 1, authorize()).await;
        assert_eq!((answer, attempts), (Answer::Done { provider_id: "p".into() }, PAYMENT_ATTEMPTS_MAX));
        let (answer, attempts) = answer_after(PAYMENT_ATTEMPTS_MAX, authorize()).await;
        assert!(matches!(answer, Answer::Declined { .. }) && attempts == PAYMENT_ATTEMPTS_MAX, "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn taking_what_is_held_never_gives_up() {
        let capture =
            ProviderCall::Capture { payment: payment(), provider_payment_id: "p".into(), amount: pound() };
        let (answer, attempts) = answer_after(100, capture).await;
        assert_eq!((answer, attempts), (Answer::Done { provider_id: "p".into() }, 101));
    }
}
