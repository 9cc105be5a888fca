//! Carries out provider calls and hands the answers to the payment.
//!
//! A call that fails in a retryable way is repeated with growing waits under the same idempotency key.
//! Asking for a hold gives up after a while, since an order waits only so long. Taking what is held and
//! giving it back never do: until the provider answers, nobody knows whose the money is. However late an
//! answer comes, it goes to the payment, which knows what it still means.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::{Gauge, gauge};
use souk_domain::PaymentId;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::reactor::{Reaction, Reactor};
use souk_eventsourcing::retry::wait_after;
use souk_eventsourcing::{Decider, PersonKeys, StreamName};
use souk_process_managers::{Authorization, ProviderCall};
use tokio::sync::Semaphore;

use super::commands::{Sent, ShopPorts};
use souk_process_managers::{Answer, PaymentProvider};

/// Calls to authorize, before it counts as declined.
pub const PAYMENT_ATTEMPTS_MAX: u32 = 8;

/// Calls to authorize that one provider is asked at once; the rest wait in order.
pub const AUTHORIZING_CALLS_MAX: usize = 512;
/// Calls to capture that one provider is asked at once; the rest wait in order. Buyers wait for them: they have
/// places of their own, which neither holds nor refunds take.
pub const CAPTURING_CALLS_MAX: usize = 256;
/// Calls to void or refund that one provider is asked at once; the rest wait in order.
pub const GIVING_BACK_CALLS_MAX: usize = 256;

/// The time that a call holds its place. One that takes longer goes on in a place for slow calls, so that a buyer
/// whose bank takes long to answer holds up no other.
pub const PLACE_TIME_MAX: Duration = Duration::from_secs(2);
/// Slow calls that one provider is asked at once, besides the others. It bounds memory only, and is large: a
/// buyer who never answers keeps a place for longer than an order waits for its payment.
pub const SLOW_CALLS_MAX: usize = 100_000;

/// The time between two looks for the key of a buyer while the keys of people can't be read.
const KEYS_WAIT: Duration = Duration::from_secs(1);

/// The reactor to what processes ask of the payment provider.
pub struct Effects {
    provider: Arc<dyn PaymentProvider>,
    /// Open the tokens of buyers.
    people: Arc<dyn PersonKeys>,
    ports: ShopPorts,
    call_max: Duration,
    authorizing: Lane,
    capturing: Lane,
    giving_back: Lane,
    slow: Semaphore,
}

/// Places for one kind of call.
struct Lane {
    places: Semaphore,
    waiting: Gauge,
    in_flight: Gauge,
}

impl Lane {
    fn new(kind: &'static str, calls_max: usize) -> Self {
        Self {
            places: Semaphore::new(calls_max),
            waiting: gauge!("souk_payment_provider_calls_waiting", "kind" => kind),
            in_flight: gauge!("souk_payment_provider_calls_in_flight", "kind" => kind),
        }
    }
}

/// Counts a call in a gauge for as long as it lives.
struct Counted<'a>(&'a Gauge);

impl<'a> Counted<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl Effects {
    /// Effects on a provider whose calls take at most `call_max` each.
    pub fn new(
        provider: Arc<dyn PaymentProvider>,
        people: Arc<dyn PersonKeys>,
        ports: ShopPorts,
        call_max: Duration,
    ) -> Self {
        // Shown from the start, not only once something was refused.
        metrics::counter!("souk_payment_provider_dlq_total").increment(0);
        metrics::counter!("souk_payment_provider_requeue_total").increment(0);
        Self {
            provider,
            people,
            ports,
            call_max,
            authorizing: Lane::new("authorize", AUTHORIZING_CALLS_MAX),
            capturing: Lane::new("capture", CAPTURING_CALLS_MAX),
            giving_back: Lane::new("give-back", GIVING_BACK_CALLS_MAX),
            slow: Semaphore::new(SLOW_CALLS_MAX),
        }
    }

    async fn call(&self, call: &ProviderCall, asked: &Origin) -> Option<(Answer, u32)> {
        let key = asked.command_id.to_string();
        let mut number = 1;
        loop {
            let answer = match self.call_opened(call, number, &key).await {
                Some(answer) => answer,
                // By now the order waits no longer; money that is held or taken is asked about again.
                None if gives_up(call) => return None,
                None => Answer::Retry { detail: "there was no answer in time".to_owned() },
            };
            let Answer::Retry { detail } = &answer else { return Some((answer, number)) };
            if number == PAYMENT_ATTEMPTS_MAX && gives_up(call) {
                let (code, detail) = ("provider-unavailable".to_owned(), detail.clone());
                return Some((Answer::Declined { code, detail }, number));
            }
            tracing::info!(payment = %call.payment(), number, detail, "the payment provider will be called again");
            metrics::counter!("souk_payment_provider_retry_total").increment(1);
            tokio::time::sleep(wait_after(number, asked.command_id.0.as_bytes())).await;
            number = number.saturating_add(1);
        }
    }

    /// Makes one call, with the buyer's token open. The token of an erased buyer is empty: the provider repeats
    /// what it answered under the key before, so that a hold of before the erasure is never lost.
    async fn call_opened(&self, call: &ProviderCall, number: u32, key: &str) -> Option<Answer> {
        let Some(person) = call.person() else {
            return self.call_once(call, number, key).await;
        };
        loop {
            match self.people.to_open(vec![person.clone()]).await {
                Ok(keys) => return self.call_once(&call.opened(&keys), number, key).await,
                // No try is counted: the provider may hold the money of an earlier one.
                Err(error) => tracing::warn!(%error, "a payment waits for the key of its buyer"),
            }
            tokio::time::sleep(KEYS_WAIT).await;
        }
    }

    /// One call, once there is a place for it; none when there was no answer in time.
    async fn call_once(&self, call: &ProviderCall, number: u32, key: &str) -> Option<Answer> {
        let lane = match call {
            ProviderCall::Authorize(_) => &self.authorizing,
            ProviderCall::Capture { .. } => &self.capturing,
            ProviderCall::Void { .. } | ProviderCall::Refund { .. } => &self.giving_back,
        };
        let waits = Counted::new(&lane.waiting);
        // Closed only with the process.
        let place = lane.places.acquire().await;
        drop(waits);
        let _in_flight = Counted::new(&lane.in_flight);
        let mut answer = pin!(tokio::time::timeout(self.call_max, self.provider.call(call, number, key)));
        if let Ok(answer) = tokio::time::timeout(PLACE_TIME_MAX, &mut answer).await {
            return answer.ok().map(Answer::bounded);
        }
        // Where slow calls have no place either, this one keeps the place it has.
        let _slow = self.slow.try_acquire().map(|slow| (slow, drop(place)));
        answer.await.ok().map(Answer::bounded)
    }
}

#[async_trait]
impl Reactor<ProviderCall> for Effects {
    async fn react(&self, call: &ProviderCall, asked: &Origin) -> Reaction {
        let Some((answer, attempts)) = self.call(call, asked).await else { return Reaction::NoAnswer };
        let Some(command) = record(call, answer, attempts) else { return Reaction::NothingNew };
        note_refusal(call.payment(), &command);
        souk_fail_points::pass("effect-before-record");
        let origin = Origin {
            // Different answers to one call are different commands: the payment decides about each.
            command_id: asked.command_id.step(command.name()),
            actor: Actor::new("provider", self.provider.name()),
            ..asked.clone()
        };
        match self.ports.send_payment(payment_stream(call.payment()), command, &origin).await {
            Sent::InLog => Reaction::InLog,
            Sent::Answered(_) | Sent::Again(_) => Reaction::NothingNew,
        }
    }
}

/// Tells operators of a refund or void that the provider refused.
fn note_refusal(payment: PaymentId, command: &PaymentCommand) {
    match command {
        PaymentCommand::RecordRefundFailed { refund, code, .. } => {
            tracing::warn!(%payment, %refund, code, "the provider refused a refund; it is a dead letter");
        }
        PaymentCommand::RecordVoidFailed { void, code, .. } => {
            tracing::warn!(%payment, %void, code, "the provider refused to let a hold go; it is a dead letter");
        }
        _ => return,
    }
    metrics::counter!("souk_payment_provider_dlq_total").increment(1);
}

/// The stream of a payment.
pub fn payment_stream(payment: PaymentId) -> StreamName {
    StreamName::new(Payment::CATEGORY, &payment.to_string())
}

fn gives_up(call: &ProviderCall) -> bool {
    matches!(call, ProviderCall::Authorize(_))
}

/// The command that records an answer; none when there is nothing to record.
fn record(call: &ProviderCall, answer: Answer, attempts: u32) -> Option<PaymentCommand> {
    Some(match (call, answer) {
        (ProviderCall::Authorize(Authorization { attempt, .. }), answer) => {
            record_authorization(*attempt, answer, attempts)?
        }
        (ProviderCall::Capture { provider_payment_id, .. }, Answer::Done { .. }) => {
            PaymentCommand::RecordCaptured { provider_payment_id: provider_payment_id.clone() }
        }
        (ProviderCall::Capture { provider_payment_id, .. }, Answer::Declined { code, detail }) => {
            let provider_payment_id = provider_payment_id.clone();
            PaymentCommand::RecordCaptureFailed { provider_payment_id, code, detail }
        }
        (ProviderCall::Void { void, .. }, Answer::Done { .. }) => {
            PaymentCommand::RecordVoided { void: *void }
        }
        (ProviderCall::Void { void, .. }, Answer::Declined { code, detail }) => {
            PaymentCommand::RecordVoidFailed { void: *void, code, detail }
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

fn record_authorization(attempt: u32, answer: Answer, attempts: u32) -> Option<PaymentCommand> {
    Some(match answer {
        Answer::Done { provider_id: provider_payment_id } => {
            PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts }
        }
        Answer::Accepted { provider_id: provider_payment_id } => {
            PaymentCommand::RecordAccepted { attempt, provider_payment_id }
        }
        Answer::Declined { code, detail } => {
            PaymentCommand::RecordFailed { attempt, provider_payment_id: None, code, detail, attempts }
        }
        Answer::Retry { .. } => return None,
    })
}

#[cfg(test)]
mod tests;
