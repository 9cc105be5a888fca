//! Calls to the payment provider. The answers are recorded on the payment.
//!
//! A call that fails temporarily is repeated with growing waits, under the same idempotency key. An
//! authorization is given up after some attempts, because an order waits only for a limited time. A capture,
//! void or refund is never given up: until the provider answers, nobody knows who has the money. A late
//! answer is recorded too, and the payment decides what it means.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::{Gauge, gauge};
use souk_domain::PaymentId;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_eventsourcing::PersonKeys;
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::reactor::{Reaction, Reactor};
use souk_eventsourcing::retry::wait_after;
use souk_process_managers::{Authorization, ProviderCall};
use tokio::sync::Semaphore;

use super::commands::{CommandSender, SendOutcome};
use souk_process_managers::{PaymentProvider, ProviderAnswer};

/// Maximum number of attempts to authorize. After that, the authorization counts as declined.
pub const PAYMENT_ATTEMPTS_MAX: u32 = 8;

/// Maximum number of concurrent calls to authorize. Further calls wait in order.
pub const AUTHORIZING_CALLS_MAX: usize = 512;
/// Maximum number of concurrent calls to capture. Further calls wait in order. Buyers wait for captures, so
/// authorizations and refunds can't use these places.
pub const CAPTURING_CALLS_MAX: usize = 256;
/// Maximum number of concurrent calls to void or refund. Further calls wait in order.
pub const GIVING_BACK_CALLS_MAX: usize = 256;

/// Time after which a call moves from its place to a place for slow calls. So a buyer whose bank is slow does
/// not block other buyers.
pub const PLACE_TIME_MAX: Duration = Duration::from_secs(2);
/// Maximum number of concurrent slow calls, in addition to the other calls. The limit is large and only
/// limits memory: if a buyer never answers, the call keeps its place longer than an order waits for its
/// payment.
pub const SLOW_CALLS_MAX: usize = 100_000;

/// Wait before the next attempt to read the key of a buyer, while the keys of people can't be read.
const KEYS_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Reactor that makes the calls of processes to the payment provider.
pub struct ProviderCalls {
    provider: Arc<dyn PaymentProvider>,
    /// Keys that decrypt the payment tokens of buyers.
    people: Arc<dyn PersonKeys>,
    ports: CommandSender,
    call_max: Duration,
    authorizing: Lane,
    capturing: Lane,
    giving_back: Lane,
    slow: Semaphore,
}

/// Limit and gauges of one kind of call.
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

/// Guard that counts a call in a gauge until it is dropped.
struct GaugeGuard<'a>(&'a Gauge);

impl<'a> GaugeGuard<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for GaugeGuard<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl ProviderCalls {
    /// Creates the reactor for a provider. `call_max` is the timeout of one call.
    pub fn new(
        provider: Arc<dyn PaymentProvider>,
        people: Arc<dyn PersonKeys>,
        ports: CommandSender,
        call_max: Duration,
    ) -> Self {
        // The metrics exist from the start, not only after the first refusal.
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

    /// Makes a call until there is an answer. Returns the answer and the number of attempts. Returns `None`
    /// if an authorization timed out.
    async fn call(&self, call: &ProviderCall, origin: &Origin) -> Option<(ProviderAnswer, u32)> {
        let key = origin.command_id.to_string();
        let mut number = 1;
        loop {
            let answer = match self.call_opened(call, number, &key).await {
                Some(answer) => answer,
                // The order no longer waits for an authorization. Other calls are repeated.
                None if has_attempt_limit(call) => return None,
                None => ProviderAnswer::Retry { detail: "there was no answer in time".to_owned() },
            };
            let ProviderAnswer::Retry { detail } = &answer else { return Some((answer, number)) };
            if number == PAYMENT_ATTEMPTS_MAX && has_attempt_limit(call) {
                let code = "provider-unavailable".to_owned();
                return Some((ProviderAnswer::Declined { code, detail: detail.clone() }, number));
            }
            tracing::info!(payment = %call.payment(), number, detail, "a call to the payment provider will be repeated");
            metrics::counter!("souk_payment_provider_retry_total").increment(1);
            tokio::time::sleep(wait_after(number, origin.command_id.0.as_bytes())).await;
            number = number.saturating_add(1);
        }
    }

    /// Makes one call with the decrypted token of the buyer. The token of an erased buyer is empty. The
    /// provider then repeats its earlier answer for the same idempotency key, so an authorization from before
    /// the erasure is never lost.
    async fn call_opened(&self, call: &ProviderCall, number: u32, key: &str) -> Option<ProviderAnswer> {
        let Some(person) = call.person() else {
            return self.call_once(call, number, key).await;
        };
        loop {
            match self.people.keys_for_opening(vec![person.clone()]).await {
                Ok(keys) => return self.call_once(&call.opened(&keys), number, key).await,
                // This does not count as an attempt, because an earlier attempt may have authorized the
                // money.
                Err(error) => tracing::warn!(%error, "a payment is waiting for the key of its buyer"),
            }
            tokio::time::sleep(KEYS_RETRY_AFTER).await;
        }
    }

    /// Makes one call as soon as there is a place for it. Returns `None` on timeout.
    async fn call_once(&self, call: &ProviderCall, number: u32, key: &str) -> Option<ProviderAnswer> {
        let lane = match call {
            ProviderCall::Authorize(_) => &self.authorizing,
            ProviderCall::Capture { .. } => &self.capturing,
            ProviderCall::Void { .. } | ProviderCall::Refund { .. } => &self.giving_back,
        };
        let waits = GaugeGuard::new(&lane.waiting);
        // An error is impossible: the semaphore is never closed.
        let place = lane.places.acquire().await;
        drop(waits);
        let _in_flight = GaugeGuard::new(&lane.in_flight);
        let mut answer = pin!(tokio::time::timeout(self.call_max, self.provider.call(call, number, key)));
        if let Ok(answer) = tokio::time::timeout(PLACE_TIME_MAX, &mut answer).await {
            return answer.ok().map(ProviderAnswer::bounded);
        }
        // If there is no place for slow calls, the call keeps its own place.
        let _slow = self.slow.try_acquire().map(|slow| (slow, drop(place)));
        answer.await.ok().map(ProviderAnswer::bounded)
    }
}

#[async_trait]
impl Reactor<ProviderCall> for ProviderCalls {
    async fn react(&self, call: &ProviderCall, origin: &Origin) -> Reaction {
        let Some((answer, attempts)) = self.call(call, origin).await else { return Reaction::NoAnswer };
        let Some(command) = record(call, answer, attempts) else { return Reaction::NothingNew };
        report_refusal(call.payment(), &command);
        souk_fail_points::reach("effect-before-record");
        let origin = Origin {
            // Different answers to one call are different commands, and the payment decides about each of
            // them.
            command_id: origin.command_id.follow_up(command.name()),
            actor: Actor::new("provider", self.provider.name()),
            ..origin.clone()
        };
        match self.ports.send_payment(Payment::stream(call.payment()), command, &origin).await {
            SendOutcome::InLog => Reaction::InLog,
            SendOutcome::Answered(_) | SendOutcome::Again(_) => Reaction::NothingNew,
        }
    }

    /// An authorization waits for the buyer.
    fn waits_for_person(&self, call: &ProviderCall) -> bool {
        matches!(call, ProviderCall::Authorize(_))
    }
}

/// Logs and counts a refund or void that the provider refused.
fn report_refusal(payment: PaymentId, command: &PaymentCommand) {
    match command {
        PaymentCommand::RecordRefundFailed { refund, code, .. } => {
            tracing::warn!(%payment, %refund, code, "the payment provider refused a refund; it is a dead letter now");
        }
        PaymentCommand::RecordVoidFailed { void, code, .. } => {
            tracing::warn!(%payment, %void, code, "the payment provider refused to void an authorization; it is a dead letter now");
        }
        _ => return,
    }
    metrics::counter!("souk_payment_provider_dlq_total").increment(1);
}

fn has_attempt_limit(call: &ProviderCall) -> bool {
    matches!(call, ProviderCall::Authorize(_))
}

/// Returns the command that records an answer on the payment, or `None` if there is nothing to record.
fn record(call: &ProviderCall, answer: ProviderAnswer, attempts: u32) -> Option<PaymentCommand> {
    Some(match (call, answer) {
        (ProviderCall::Authorize(Authorization { attempt, .. }), answer) => {
            record_authorization(*attempt, answer, attempts)?
        }
        (ProviderCall::Capture { provider_payment_id, .. }, ProviderAnswer::Done { .. }) => {
            PaymentCommand::RecordCaptured { provider_payment_id: provider_payment_id.clone() }
        }
        (ProviderCall::Capture { provider_payment_id, .. }, ProviderAnswer::Declined { code, detail }) => {
            let provider_payment_id = provider_payment_id.clone();
            PaymentCommand::RecordCaptureFailed { provider_payment_id, code, detail }
        }
        (ProviderCall::Void { void, .. }, ProviderAnswer::Done { .. }) => {
            PaymentCommand::RecordVoided { void: *void }
        }
        (ProviderCall::Void { void, .. }, ProviderAnswer::Declined { code, detail }) => {
            PaymentCommand::RecordVoidFailed { void: *void, code, detail }
        }
        (ProviderCall::Refund { refund, .. }, ProviderAnswer::Done { provider_id }) => {
            PaymentCommand::RecordRefunded { refund: *refund, provider_refund_id: provider_id }
        }
        (ProviderCall::Refund { refund, .. }, ProviderAnswer::Declined { code, detail }) => {
            PaymentCommand::RecordRefundFailed { refund: *refund, code, detail }
        }
        (_, ProviderAnswer::Retry { .. } | ProviderAnswer::Accepted { .. }) => return None,
    })
}

fn record_authorization(attempt: u32, answer: ProviderAnswer, attempts: u32) -> Option<PaymentCommand> {
    Some(match answer {
        ProviderAnswer::Done { provider_id: provider_payment_id } => {
            PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts }
        }
        ProviderAnswer::Accepted { provider_id: provider_payment_id } => {
            PaymentCommand::RecordAccepted { attempt, provider_payment_id }
        }
        ProviderAnswer::Declined { code, detail } => {
            PaymentCommand::RecordFailed { attempt, provider_payment_id: None, code, detail, attempts }
        }
        ProviderAnswer::Retry { .. } => return None,
    })
}

#[cfg(test)]
mod tests;
