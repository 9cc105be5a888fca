use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use souk_domain::payment::PaymentEvent;
use souk_domain::payment::event::Requested;
use souk_domain::{AggregatePorts, Currency, Money, OpenPort, OrderId, PersonalText, RefundId};
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::testkit::{KeysInMemory, noon, sealed};
use souk_eventsourcing::{
    CommandError, CommandId, CommandPort, CommandRequest, CorrelationId, Decider, EventPayload, Loaded,
    Outcome, Person, RecordedEvent, Revision, StoreError, StreamName,
};
use uuid::Uuid;

use super::*;
use souk_process_managers::FoundPayment;

/// Provider that never answers for the token `silent`, and answers after one second for other tokens. It
/// counts concurrent calls.
#[derive(Default)]
struct Slow {
    in_flight: AtomicU32,
    most: AtomicU32,
}

#[async_trait]
impl PaymentProvider for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn call(&self, call: &ProviderCall, _: u32, _: &str) -> ProviderAnswer {
        if matches!(call, ProviderCall::Authorize(call) if call.token.plain() == Some("silent")) {
            return std::future::pending().await;
        }
        self.most.fetch_max(self.in_flight.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        ProviderAnswer::Done { provider_id: "p".to_owned() }
    }

    async fn find_payment(&self, _: &str) -> Option<FoundPayment> {
        None
    }

    async fn find_refund(&self, _: &str) -> Option<RefundId> {
        None
    }
}

/// Provider that fails temporarily a number of times, and then succeeds.
struct Failing {
    failures: u32,
    calls: AtomicU32,
}

impl Failing {
    fn answer(&self) -> ProviderAnswer {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let done = || ProviderAnswer::Done { provider_id: "p".to_owned() };
        if call < self.failures { ProviderAnswer::Retry { detail: "busy".to_owned() } } else { done() }
    }
}

#[async_trait]
impl PaymentProvider for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn call(&self, _: &ProviderCall, _: u32, _: &str) -> ProviderAnswer {
        self.answer()
    }

    async fn find_payment(&self, _: &str) -> Option<FoundPayment> {
        None
    }

    async fn find_refund(&self, _: &str) -> Option<RefundId> {
        None
    }
}

/// Command port that is never called.
struct UnusedPort;

#[async_trait]
impl<D: Decider> CommandPort<D> for UnusedPort {
    async fn execute(&self, _: CommandRequest<D::Command>) -> Result<Outcome<D>, CommandError<D::Rejection>> {
        unreachable!("these tests send no command")
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

    async fn events(&self, _: &StreamName, _: Revision, _: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        Ok(Vec::new())
    }
}

impl OpenPort for UnusedPort {
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>> {
        Arc::new(Self)
    }
}

fn calls_on(provider: Arc<dyn PaymentProvider>) -> Arc<ProviderCalls> {
    calls_for(provider, Arc::new(KeysInMemory::default()))
}

fn calls_for(provider: Arc<dyn PaymentProvider>, people: Arc<dyn PersonKeys>) -> Arc<ProviderCalls> {
    let sender = CommandSender(AggregatePorts::open(&UnusedPort));
    Arc::new(ProviderCalls::new(provider, people, sender, Duration::from_secs(900)))
}

fn origin() -> Origin {
    let id = Uuid::from_u128(1);
    Origin::new(id, Actor::new("process", "checkout"), CorrelationId::from(id))
}

fn authorize(token: &str) -> ProviderCall {
    let token = token.into();
    ProviderCall::Authorize(Authorization { payment: payment(), attempt: 1, amount: pound(), token })
}

async fn answer_after(failures: u32, call: ProviderCall) -> (ProviderAnswer, u32) {
    let provider_calls = calls_on(Arc::new(Failing { failures, calls: AtomicU32::new(0) }));
    provider_calls.call(&call, &origin()).await.expect("the provider answers at once")
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_are_limited_and_none_is_lost() {
    let provider = Arc::new(Slow::default());
    let provider_calls = calls_on(provider.clone());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..AUTHORIZING_CALLS_MAX * 4 {
        let provider_calls = Arc::clone(&provider_calls);
        calls.spawn(async move { provider_calls.call(&authorize("ok"), &origin()).await.is_some() });
    }
    assert!(calls.join_all().await.into_iter().all(|is_answered| is_answered));
    assert_eq!(provider.most.load(Ordering::Relaxed) as usize, AUTHORIZING_CALLS_MAX);
}

#[tokio::test(start_paused = true)]
async fn silent_banks_do_not_block_other_buyers_for_long() {
    let provider_calls = calls_on(Arc::new(Slow::default()));
    for _ in 0..AUTHORIZING_CALLS_MAX * 2 {
        let provider_calls = Arc::clone(&provider_calls);
        tokio::spawn(async move { provider_calls.call(&authorize("silent"), &origin()).await });
    }
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    provider_calls.call(&authorize("ok"), &origin()).await.unwrap();
    assert!(began.elapsed() <= PLACE_TIME_MAX * 3, "{:?}", began.elapsed());
    let began = tokio::time::Instant::now();
    provider_calls.call(&capture(), &origin()).await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(1), "captures have places of their own");
}

#[tokio::test(start_paused = true)]
async fn slow_refunds_do_not_block_captures() {
    let provider_calls = calls_on(Arc::new(Slow::default()));
    for _ in 0..GIVING_BACK_CALLS_MAX * 20 {
        let provider_calls = Arc::clone(&provider_calls);
        tokio::spawn(async move { provider_calls.call(&refund(), &origin()).await });
    }
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    provider_calls.call(&capture(), &origin()).await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
}

fn capture() -> ProviderCall {
    ProviderCall::Capture { payment: payment(), provider_payment_id: "p".into(), amount: pound() }
}

fn refund() -> ProviderCall {
    ProviderCall::Refund {
        payment: payment(),
        provider_payment_id: "p".into(),
        refund: RefundId(Uuid::from_u128(8)),
        amount: pound(),
        attempt: 1,
    }
}

fn payment() -> PaymentId {
    PaymentId::of(OrderId(Uuid::from_u128(7)))
}

fn pound() -> Money {
    Money::new(100, Currency::GBP)
}

// Proves: payments.provider-retries
#[tokio::test(start_paused = true)]
async fn an_authorization_is_declined_after_the_last_attempt() {
    let (answer, attempts) = answer_after(PAYMENT_ATTEMPTS_MAX - 1, authorize("t")).await;
    assert_eq!((answer, attempts), (ProviderAnswer::Done { provider_id: "p".into() }, PAYMENT_ATTEMPTS_MAX));
    let (answer, attempts) = answer_after(PAYMENT_ATTEMPTS_MAX, authorize("t")).await;
    assert!(
        matches!(answer, ProviderAnswer::Declined { .. }) && attempts == PAYMENT_ATTEMPTS_MAX,
        "{answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_capture_is_never_given_up() {
    let (answer, attempts) = answer_after(100, capture()).await;
    assert_eq!((answer, attempts), (ProviderAnswer::Done { provider_id: "p".into() }, 101));
}

/// Provider that remembers its answer for each idempotency key, as real providers do.
#[derive(Default)]
struct Remembering(Mutex<HashMap<String, ProviderAnswer>>);

#[async_trait]
impl PaymentProvider for Remembering {
    fn name(&self) -> &'static str {
        "remembering"
    }

    async fn call(&self, call: &ProviderCall, _: u32, key: &str) -> ProviderAnswer {
        let ProviderCall::Authorize(authorization) = call else {
            unreachable!("the test makes only authorizations")
        };
        let answer = match authorization.token.plain() {
            Some("tok_ok") => ProviderAnswer::Done { provider_id: "p".into() },
            _ => ProviderAnswer::Declined {
                code: "unknown-token".into(),
                detail: "there is no such token".into(),
            },
        };
        self.0.lock().unwrap().entry(key.to_owned()).or_insert(answer).clone()
    }

    async fn find_payment(&self, _: &str) -> Option<FoundPayment> {
        None
    }

    async fn find_refund(&self, _: &str) -> Option<RefundId> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn an_erased_buyers_token_makes_no_new_payment_but_finds_an_earlier_authorization() {
    let ada = Person::new("customer", "ada");
    let before = origin();
    let token = PersonalText::from("tok_ok").of(&ada, "token");
    let requested: PaymentEvent =
        Requested { order: OrderId(before.command_id.0), amount: pound(), token, attempt: 1 }.into();
    // The process reads the token from the log, encrypted with the key of its buyer.
    let logged = sealed(vec![before.envelope(&Payment::stream(payment()), 0, &requested, noon())]).remove(0);
    let read = PaymentEvent::decode(requested.event_type(), logged.schema_version, &logged.data);
    let Ok(PaymentEvent::Requested(Requested { token, .. })) = read else { panic!("{read:?}") };
    let call =
        ProviderCall::Authorize(Authorization { payment: payment(), attempt: 1, amount: pound(), token });
    let people = Arc::new(KeysInMemory::default());
    let provider_calls = calls_for(Arc::new(Remembering::default()), people.clone());
    let (answer, _) = provider_calls.call(&call, &before).await.unwrap();
    assert!(matches!(answer, ProviderAnswer::Done { .. }), "{answer:?}");
    people.erase(&ada, noon()).await.unwrap();
    let (answer, _) = provider_calls.call(&call, &before).await.unwrap();
    assert!(
        matches!(answer, ProviderAnswer::Done { .. }),
        "the authorization from before the erasure: {answer:?}"
    );
    let mut after = origin();
    after.command_id = CommandId(Uuid::from_u128(99));
    let (answer, _) = provider_calls.call(&call, &after).await.unwrap();
    assert!(matches!(answer, ProviderAnswer::Declined { .. }), "{answer:?}");
}
