use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use souk_command_api::payments::request::WebhookRequest;
use souk_command_api::payments::webhook::{Told, tell, tell_again};
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::payment::{Payment, PaymentCommand, PaymentStatus};
use souk_domain::product::{Content, Product, ProductCommand, event::Variant};
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::user::User;
use souk_domain::webhook::{Webhook, WebhookCommand};
use souk_domain::{Currency, EmailHash, Money, OrderId, OrderRef, PaymentId, ProductId, Sku, UserId};
use souk_eventsourcing::{Clock, CommandRequest, CorrelationId, Decider, EventStore, StreamName};
use uuid::Uuid;

use super::*;
use crate::clock::SystemClock;
use crate::testing::TestShop;

/// A clock that is ahead.
struct Ahead(SignedDuration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }

    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

impl TestShop {
    /// Makes a step of a sweep over read models that are up to date.
    async fn sweep(&self, mut sweep: impl Sweep, ahead: SignedDuration) {
        self.shop.wait_for(self.shop.log.head().await.unwrap()).await;
        let shop = Shop { clock: Arc::new(Ahead(ahead)), ..self.shop.shop.clone() };
        sweep.step(&super::open(self.shop.read_models.path()), &shop).await.unwrap();
    }

    fn request<C>(&self, stream: StreamName, command: C) -> CommandRequest<C> {
        CommandRequest::new(stream, command, origin(&self.shop.shop, "test"))
    }

    async fn owner(&self, sku: &Sku) -> Option<String> {
        let claim = self.shop.shop.claims.load(&Claim::of_sku(sku)).await.unwrap().unwrap();
        claim.state.held.as_ref().map(|held| held.owner.clone())
    }

    async fn claim(&self, sku: &Sku, owner: &StreamName) {
        let command = ClaimCommand::Claim { owner: owner.to_string(), epoch: 0 };
        self.shop.shop.claims.execute(self.request(Claim::of_sku(sku), command)).await.unwrap();
    }
}

fn sku() -> Sku {
    Sku::parse("85123A").unwrap()
}

fn create() -> ProductCommand {
    let price = Money::new(255, Currency::GBP);
    let variant = Variant { sku: sku(), options: [].into(), price, images: Vec::new() };
    let content = Content {
        name: "Heart".into(),
        description: String::new(),
        category: String::new(),
        attributes: Vec::new(),
        active: true,
        variants: vec![variant],
    };
    ProductCommand::Create { content, epoch: 0 }
}

#[tokio::test]
async fn a_claim_whose_product_never_came_is_released_after_a_minute_and_the_product_comes_too_late() {
    let test = TestShop::open().await;
    let stream = Product::stream(ProductId(Uuid::from_u128(1)));
    test.claim(&sku(), &stream).await;
    test.sweep(claims::Open, SignedDuration::from_secs(50)).await;
    assert_eq!(test.owner(&sku()).await, Some(stream.to_string()));
    test.sweep(claims::Open, SignedDuration::from_secs(70)).await;
    assert_eq!(test.owner(&sku()).await, None);
    let late = test.shop.shop.products.execute(test.request(stream, create()).creating()).await;
    assert!(late.is_err(), "the claim is gone, so the product must not come any more");
}

#[tokio::test]
async fn a_claim_whose_product_holds_the_sku_stays() {
    let test = TestShop::open().await;
    let stream = Product::stream(ProductId(Uuid::from_u128(1)));
    test.claim(&sku(), &stream).await;
    // The sweep has read the claim as open when the product comes after all.
    let open = claims::Open;
    test.shop.shop.products.execute(test.request(stream.clone(), create())).await.unwrap();
    open.release(&test.shop.shop, Claim::of_sku(&sku()).id(), stream.clone()).await.unwrap();
    test.sweep(claims::Open, SignedDuration::from_hours(1)).await;
    assert_eq!(test.owner(&sku()).await, Some(stream.to_string()));
}

#[tokio::test]
async fn a_sign_up_that_was_cut_off_leaves_neither_claim_nor_password() {
    let test = TestShop::open().await;
    let (shop, user) = (&test.shop.shop, UserId(Uuid::from_u128(1)));
    let (stream, address) =
        (User::stream(user), Claim::of_email(&EmailHash::of(&[1; 32], "ada@example.org")));
    let claim = ClaimCommand::Claim { owner: stream.to_string(), epoch: 0 };
    shop.claims.execute(test.request(address.clone(), claim)).await.unwrap();
    let credentials = &shop.accounts.credentials;
    credentials.set_password(&user.customer(), "a hash").await.unwrap();
    test.sweep(claims::Open, SignedDuration::from_secs(70)).await;
    assert!(shop.claims.load(&address).await.unwrap().unwrap().state.held.is_none());
    assert_eq!(credentials.password(&user.customer()).await.unwrap(), None);
}

#[tokio::test]
async fn a_reservation_that_nobody_confirms_expires() {
    let test = TestShop::open().await;
    let stream = Stock::stream(&sku());
    let count = StockCommand::Count { on_hand: 10 };
    test.shop.shop.stock.execute(test.request(stream.clone(), count)).await.unwrap();
    let reserve = StockCommand::Reserve {
        order: OrderRef::parse("o1").unwrap(),
        quantity: 3,
        expires_at: SystemClock.now() + SignedDuration::from_millis(1),
    };
    test.shop.shop.stock.execute(test.request(stream.clone(), reserve)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    test.sweep(reservations::Overdue, SignedDuration::ZERO).await;
    let events = test.shop.log.read_stream(&stream, souk_eventsourcing::Revision::FIRST, 10).await.unwrap();
    assert_eq!(events.last().unwrap().event_type(), "stock.expired");
}

#[tokio::test]
async fn a_webhook_that_came_before_its_payment_is_told_later() {
    let test = TestShop::open().await;
    let (shop, order) = (&test.shop.shop, OrderId(Uuid::from_u128(7)));
    let payment = PaymentId::of(order);
    let kept = WebhookRequest {
        id: "evt_1".into(),
        kind: "payment.authorized".into(),
        provider_payment_id: format!("sim_{payment}"),
        created_at: SystemClock.now(),
        refund_id: None,
    };
    let correlation = CorrelationId::from(Uuid::from_u128(1));
    assert_eq!(tell(shop, &kept, &correlation).await.unwrap(), Told::Unknown);
    let keep = WebhookCommand::Keep {
        event_id: kept.id.clone(),
        kind: kept.kind.clone(),
        refund_id: None,
        created_at: kept.created_at,
    };
    let stream = StreamName::new(Webhook::CATEGORY, &kept.provider_payment_id);
    shop.webhooks.execute(test.request(stream, keep)).await.unwrap();
    test.sweep(webhooks::Kept::default(), SignedDuration::ZERO).await;
    let amount = Money::new(255, Currency::GBP);
    let ask = PaymentCommand::Request { order, amount, token: "tok_webhook".into() };
    shop.payments.execute(test.request(Payment::stream(payment), ask)).await.unwrap();
    test.sweep(webhooks::Kept::default(), SignedDuration::ZERO).await;
    let state = shop.payments.load(&Payment::stream(payment)).await.unwrap().unwrap().state;
    assert_eq!(state.status(), Some(PaymentStatus::Authorized));
    assert_eq!(tell_again(shop, &kept, &correlation).await.unwrap(), Told::Taken, "and once only");
}

/// A sweep whose steps fail until it is mended.
struct Failing(Arc<std::sync::atomic::AtomicBool>);

#[async_trait]
impl Sweep for Failing {
    fn name(&self) -> &'static str {
        "failing-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, _: &Shop) -> Result<(), sqlx::Error> {
        if self.0.load(std::sync::atomic::Ordering::SeqCst) { Ok(()) } else { Err(sqlx::Error::PoolClosed) }
    }
}

#[tokio::test]
async fn a_sweep_whose_steps_fail_one_after_another_ends_with_the_reason_and_works_only_after_a_step() {
    let test = TestShop::open().await;
    let is_mended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let part = Parts::default().sweep("failing-sweep");
    let begin = |part: &Arc<Part>| {
        let pool = super::open(test.shop.read_models.path());
        tokio::spawn(repeat(
            Box::new(Failing(Arc::clone(&is_mended))),
            pool,
            test.shop.shop.clone(),
            Arc::clone(part),
        ))
    };
    tokio::time::pause();
    let ended = begin(&part).await.unwrap();
    assert!(ended.unwrap_err().contains("closed pool"));
    assert!(!part.is_up(), "it never made a step");
    is_mended.store(true, std::sync::atomic::Ordering::SeqCst);
    let running = begin(&part);
    while !part.is_up() {
        tokio::time::sleep(STEP_EVERY).await;
    }
    running.abort();
}

/// A sweep whose step never ends.
struct Endless;

#[async_trait]
impl Sweep for Endless {
    fn name(&self) -> &'static str {
        "endless-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, _: &Shop) -> Result<(), sqlx::Error> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_sweep_whose_step_takes_too_long_ends_and_says_so() {
    let test = TestShop::open().await;
    let part = Parts::default().sweep("endless-sweep");
    let pool = super::open(test.shop.read_models.path());
    let shop = test.shop.shop.clone();
    tokio::time::pause();
    let ended = tokio::time::timeout(STEP_TIME_MAX * 2, repeat(Box::new(Endless), pool, shop, part)).await;
    assert_eq!(ended.unwrap(), Err("a step took longer than 120 s".to_owned()));
}
