use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use souk_command_api::Ports;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::order::event::OrderLine;
use souk_domain::order::{Draft, Order, OrderCommand, OrderStatus, draft};
use souk_domain::payment::{Payment, PaymentCommand, PaymentStatus};
use souk_domain::product::{Content, Product, ProductCommand, event::Variant};
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::user::command::Registration;
use souk_domain::user::event::UserRole;
use souk_domain::user::{User, UserCommand};
use souk_domain::webhook::{Webhook, WebhookCommand};
use souk_domain::{Currency, Email, EmailHash, Money, OrderId, OrderRef, PaymentId, ProductId, Sku, UserId};
use souk_eventsourcing::{Clock, CommandRequest, CorrelationId, Decider, EventStore, StreamName};
use souk_process_managers::provider_event::{ProviderEvent, ProviderEventKind, WebhookOutcome, apply};
use souk_process_managers::sweeps::claims::release;
use souk_process_managers::sweeps::origin;
use souk_process_managers::sweeps::webhooks::retry;
use uuid::Uuid;

use super::*;
use crate::clock::SystemClock;
use crate::testing::TestShop;

/// Clock that is ahead of the system clock by a duration.
pub(super) struct ClockAhead(pub(super) SignedDuration);

impl Clock for ClockAhead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }

    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

impl TestShop {
    /// Waits until the read models are up to date, and runs one step of a sweep. `ahead` moves the clock of
    /// the step.
    pub(super) async fn sweep(&self, sweep: impl Sweep, ahead: SignedDuration) {
        self.sweep_over(sweep, &Ports { clock: Arc::new(ClockAhead(ahead)), ..self.shop.ports.clone() })
            .await;
    }

    /// Waits until the read models are up to date, and runs one step of a sweep with these ports.
    pub(super) async fn sweep_over(&self, mut sweep: impl Sweep, ports: &Ports) {
        self.shop.wait_for(self.shop.log.head().await.unwrap()).await;
        sweep.step(&super::open(self.shop.read_models.path()), &ports.shop()).await.unwrap();
    }

    pub(super) fn request<C>(&self, stream: StreamName, command: C) -> CommandRequest<C> {
        CommandRequest::new(stream, command, origin(&*self.shop.ports.clock, "test"))
    }

    async fn owner(&self, sku: &Sku) -> Option<String> {
        let claim = self.shop.ports.aggregates.claims.load(&Claim::of_sku(sku)).await.unwrap().unwrap();
        claim.state.holder.as_ref().map(|holder| holder.owner.clone())
    }

    async fn claim(&self, sku: &Sku, owner: &StreamName) {
        let command = ClaimCommand::Claim { owner: owner.to_string(), epoch: 0 };
        self.shop.ports.aggregates.claims.execute(self.request(Claim::of_sku(sku), command)).await.unwrap();
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

// Proves: products.interrupted-writes
#[tokio::test]
async fn a_claim_without_its_product_is_released_after_a_minute_and_a_late_product_is_refused() {
    let test = TestShop::open().await;
    let stream = Product::stream(ProductId(Uuid::from_u128(1)));
    test.claim(&sku(), &stream).await;
    test.sweep(claims::OpenClaims, SignedDuration::from_secs(50)).await;
    assert_eq!(test.owner(&sku()).await, Some(stream.to_string()));
    test.sweep(claims::OpenClaims, SignedDuration::from_secs(70)).await;
    assert_eq!(test.owner(&sku()).await, None);
    let late = test.shop.ports.aggregates.products.execute(test.request(stream, create()).creating()).await;
    assert!(late.is_err(), "the claim is released, so the late product must be refused");
}

#[tokio::test]
async fn a_claim_whose_product_holds_the_sku_stays() {
    let test = TestShop::open().await;
    let stream = Product::stream(ProductId(Uuid::from_u128(1)));
    test.claim(&sku(), &stream).await;
    // The product is created after the sweep has read the claim as open.
    test.shop.ports.aggregates.products.execute(test.request(stream.clone(), create())).await.unwrap();
    release(&test.shop.ports.shop(), Claim::of_sku(&sku()).id(), &stream).await.unwrap();
    test.sweep(claims::OpenClaims, SignedDuration::from_hours(1)).await;
    assert_eq!(test.owner(&sku()).await, Some(stream.to_string()));
}

// Proves: sign-in.one-account-per-address
#[tokio::test]
async fn an_interrupted_sign_up_leaves_neither_a_claim_nor_a_password() {
    let test = TestShop::open().await;
    let ports = &test.shop.ports;
    let user = UserId(Uuid::from_u128(1));
    let stream = User::stream(user);
    let address = Claim::of_email(&EmailHash::of(&[1; 32], "ada@example.org"));
    let claim = ClaimCommand::Claim { owner: stream.to_string(), epoch: 0 };
    ports.aggregates.claims.execute(test.request(address.clone(), claim)).await.unwrap();
    let credentials = &ports.accounts.credentials;
    credentials.set_password(&user.customer(), "a hash").await.unwrap();
    test.sweep(claims::OpenClaims, SignedDuration::from_secs(70)).await;
    assert!(ports.aggregates.claims.load(&address).await.unwrap().unwrap().state.holder.is_none());
    assert_eq!(credentials.password(&user.customer()).await.unwrap(), None);
}

// Proves: inventory.expiry
#[tokio::test]
async fn a_reservation_that_nobody_confirms_expires() {
    let test = TestShop::open().await;
    let stream = Stock::stream(&sku());
    let count = StockCommand::Count { on_hand: 10 };
    test.shop.ports.aggregates.stock.execute(test.request(stream.clone(), count)).await.unwrap();
    let reserve = StockCommand::Reserve {
        order: OrderRef::parse("o1").unwrap(),
        quantity: 3,
        expires_at: SystemClock.now() + SignedDuration::from_millis(1),
    };
    test.shop.ports.aggregates.stock.execute(test.request(stream.clone(), reserve)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    test.sweep(reservations::OverdueReservations, SignedDuration::ZERO).await;
    let events = test.shop.log.read_stream(&stream, souk_eventsourcing::Revision::FIRST, 10).await.unwrap();
    assert_eq!(events.last().unwrap().event_type(), "stock.expired");
}

// Proves: payments.unknown-payment
#[tokio::test]
async fn a_webhook_before_its_payment_is_delivered_later() {
    let test = TestShop::open().await;
    let ports = &test.shop.ports;
    let order = OrderId(Uuid::from_u128(7));
    let payment = PaymentId::of(order);
    let kept = ProviderEvent {
        id: "evt_1".into(),
        kind: ProviderEventKind::PaymentAuthorized,
        provider_payment_id: format!("sim_{payment}"),
        created_at: SystemClock.now(),
        refund_id: None,
    };
    let correlation = CorrelationId::from(Uuid::from_u128(1));
    assert_eq!(apply(&ports.shop(), &kept, &correlation).await.unwrap(), WebhookOutcome::UnknownPayment);
    let keep = WebhookCommand::Store {
        event_id: kept.id.clone(),
        kind: kept.kind.as_str().to_owned(),
        refund_id: None,
        created_at: kept.created_at,
    };
    let stream = StreamName::new(Webhook::CATEGORY, &kept.provider_payment_id);
    ports.aggregates.webhooks.execute(test.request(stream, keep)).await.unwrap();
    test.sweep(webhooks::KeptWebhooks::default(), SignedDuration::ZERO).await;
    let amount = Money::new(255, Currency::GBP);
    let ask = PaymentCommand::Request { order, amount, token: "tok_webhook".into() };
    ports.aggregates.payments.execute(test.request(Payment::stream(payment), ask)).await.unwrap();
    test.sweep(webhooks::KeptWebhooks::default(), SignedDuration::ZERO).await;
    let state = ports.aggregates.payments.load(&Payment::stream(payment)).await.unwrap().unwrap().state;
    assert_eq!(state.status(), Some(PaymentStatus::Authorized));
    assert_eq!(
        retry(&ports.shop(), &kept, &correlation).await.unwrap(),
        WebhookOutcome::Applied,
        "the webhook takes effect only once"
    );
}

/// Sweep whose steps fail until a flag is set.
struct Failing(Arc<std::sync::atomic::AtomicBool>);

#[async_trait]
impl Sweep for Failing {
    fn name(&self) -> &'static str {
        "failing-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, _: &ShopPorts) -> Result<(), sqlx::Error> {
        if self.0.load(std::sync::atomic::Ordering::SeqCst) { Ok(()) } else { Err(sqlx::Error::PoolClosed) }
    }
}

#[tokio::test]
async fn a_sweep_ends_after_repeated_failures_and_works_only_after_a_successful_step() {
    let test = TestShop::open().await;
    let is_repaired = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let part = Parts::default().sweep("failing-sweep");
    let begin = |part: &Arc<Part>| {
        let pool = super::open(test.shop.read_models.path());
        tokio::spawn(repeat(
            Box::new(Failing(Arc::clone(&is_repaired))),
            pool,
            test.shop.ports.shop(),
            sweep_context(&test),
            Arc::clone(part),
        ))
    };
    tokio::time::pause();
    let ended = begin(&part).await.unwrap();
    assert!(ended.unwrap_err().contains("closed pool"));
    assert!(!part.is_up(), "no step has succeeded yet");
    is_repaired.store(true, std::sync::atomic::Ordering::SeqCst);
    let running = begin(&part);
    while !part.is_up() {
        tokio::time::sleep(STEP_EVERY).await;
    }
    running.abort();
}

/// Sweep whose step never ends.
struct Endless;

#[async_trait]
impl Sweep for Endless {
    fn name(&self) -> &'static str {
        "endless-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, _: &ShopPorts) -> Result<(), sqlx::Error> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_step_that_takes_too_long_ends_the_sweep_with_the_reason() {
    let test = TestShop::open().await;
    let part = Parts::default().sweep("endless-sweep");
    let pool = super::open(test.shop.read_models.path());
    let ports = test.shop.ports.shop();
    let context = sweep_context(&test);
    tokio::time::pause();
    let run = repeat(Box::new(Endless), pool, ports, context, part);
    let ended = tokio::time::timeout(STEP_TIME_MAX * 2, run).await;
    assert_eq!(ended.unwrap(), Err("a step took longer than 120 s".to_owned()));
}

/// Returns the draft of a guest order with an e-mail address.
pub(super) fn guest_order(order: OrderId, email: &Email, now: Timestamp) -> Draft {
    let unit_price = Money::new(255, Currency::GBP);
    let product = ProductId(Uuid::from_u128(1));
    let line =
        OrderLine { sku: sku(), product, name: "Heart".into(), quantity: 1, unit_price, shown_price: None };
    let fields = draft::DraftFields {
        order,
        customer: None,
        cart: None,
        email: Some(email.clone()),
        shipping_address: None,
        lines: vec![line],
        payment_token: None,
        placed_at: now,
        pay_by: now + SignedDuration::from_mins(15),
    };
    Draft::assemble(fields).unwrap()
}

/// Returns the context of sweeps in a shop whose read models are built.
pub(super) fn sweep_context(test: &TestShop) -> SweepContext {
    SweepContext {
        reached: watch::channel(Position(u64::MAX)).1,
        built: watch::channel(true).1,
        head: watch::channel(Position(0)).1,
        head_at_start: Position(0),
        sealed_appends: SealedAppends::default(),
        people_lock: Arc::default(),
        keys: test.shop.complete.clone(),
        shop_keys: Arc::clone(&test.shop.ports.keys),
        payment_timeout: test.shop.ports.settings.payment_timeout,
        erased: Arc::clone(&test.shop.ports.erased),
        stopping: test.shop.ports.stopping.clone(),
    }
}

#[tokio::test]
async fn guest_orders_of_older_and_newer_logs_are_attached_to_the_account_with_their_address() {
    let test = TestShop::open().await;
    let ports = &test.shop.ports;
    let email = Email::parse("ada@example.org").unwrap();
    let hash = email.hash(&ports.keys.email_hash);
    let user = UserId(Uuid::from_u128(7));
    let registration = Registration {
        user,
        email: email.clone(),
        email_hash: hash.clone(),
        name: "Ada".into(),
        is_verified: true,
        role: UserRole::Customer,
    };
    let register = UserCommand::Register(Box::new(registration));
    ports.aggregates.users.execute(test.request(User::stream(user), register)).await.unwrap();
    let older = OrderId(Uuid::from_u128(8));
    let newer = OrderId(Uuid::from_u128(9));
    let draft = guest_order(older, &email, ports.clock.now());
    let draft = Draft { email_hash: Some(hash.clone()), ..draft };
    let place = OrderCommand::Place(Box::new(draft));
    ports.aggregates.orders.execute(test.request(Order::stream(older), place)).await.unwrap();
    // This link is wrong: the order has another e-mail address.
    let foreign = OrderId(Uuid::from_u128(10));
    let other = Email::parse("bob@example.org").unwrap();
    ports.people.link(vec![(foreign.guest(), hash.as_str().to_owned())]).await.unwrap();
    let place = OrderCommand::Place(Box::new(guest_order(foreign, &other, ports.clock.now())));
    ports.aggregates.orders.execute(test.request(Order::stream(foreign), place)).await.unwrap();
    let place = OrderCommand::Place(Box::new(guest_order(newer, &email, ports.clock.now())));
    ports.aggregates.orders.execute(test.request(Order::stream(newer), place)).await.unwrap();
    let context = sweep_context(&test);
    for order in [older, newer] {
        let is_theirs = async || {
            let loaded = ports.aggregates.orders.load(&Order::stream(order)).await.unwrap().unwrap();
            let ring = ports.people.keys_for_opening(vec![order.guest()]).await.unwrap();
            loaded.state.customer() == Some(&user.customer()) && ring.get(&order.guest()).is_none()
        };
        let mut steps = 0;
        while !is_theirs().await {
            steps += 1;
            assert!(steps < 100, "{order} was not attached");
            test.sweep(guests::UnattachedOrders::new(&context), SignedDuration::from_hours(1)).await;
        }
    }
    assert_eq!(ports.people.linked_after(None, 9).await.unwrap(), []);
    let loaded = ports.aggregates.orders.load(&Order::stream(foreign)).await.unwrap().unwrap();
    assert_eq!(loaded.state.customer(), None);
}

// Proves: users.guest-orders-are-linked
#[tokio::test]
async fn an_account_with_an_unproven_address_gets_no_guest_orders() {
    let test = TestShop::open().await;
    let ports = &test.shop.ports;
    let email = Email::parse("ada@example.org").unwrap();
    let alias = ports.people.make_alias(email.hash(&ports.keys.email_hash).as_str()).await.unwrap();
    let user = UserId(Uuid::from_u128(7));
    let registration = Registration {
        user,
        email: email.clone(),
        email_hash: EmailHash::parse(&alias).unwrap(),
        name: "Ada".into(),
        is_verified: false,
        role: UserRole::Customer,
    };
    let execute_user = async |command| {
        ports.aggregates.users.execute(test.request(User::stream(user), command)).await.unwrap();
    };
    execute_user(UserCommand::Register(Box::new(registration))).await;
    execute_user(UserCommand::VerifyEmail { is_proven: false }).await;
    let order = OrderId(Uuid::from_u128(8));
    let place = OrderCommand::Place(Box::new(guest_order(order, &email, ports.clock.now())));
    ports.aggregates.orders.execute(test.request(Order::stream(order), place)).await.unwrap();
    let context = sweep_context(&test);
    let is_theirs = async || {
        let loaded = ports.aggregates.orders.load(&Order::stream(order)).await.unwrap().unwrap();
        loaded.state.customer() == Some(&user.customer())
    };
    for _ in 0..3 {
        test.sweep(guests::UnattachedOrders::new(&context), SignedDuration::from_hours(1)).await;
    }
    assert_eq!(ports.people.linked_after(None, 9).await.unwrap().len(), 1);
    assert!(!is_theirs().await);
    execute_user(UserCommand::VerifyEmail { is_proven: true }).await;
    let mut steps = 0;
    while !is_theirs().await {
        steps += 1;
        assert!(steps < 100, "the order was not attached");
        test.sweep(guests::UnattachedOrders::new(&context), SignedDuration::from_hours(1)).await;
    }
}

/// Creates a paid guest order, erases the guest, and gives the order a new address.
async fn readdressed_order(test: &TestShop) -> OrderId {
    let ports = &test.shop.ports;
    let order = OrderId(Uuid::from_u128(8));
    let email = Email::parse("ada@example.org").unwrap();
    let count = StockCommand::Count { on_hand: 10 };
    ports.aggregates.stock.execute(test.request(Stock::stream(&sku()), count)).await.unwrap();
    execute_order(test, order, OrderCommand::Place(Box::new(guest_order(order, &email, ports.clock.now()))))
        .await;
    wait_for_status(test, order, OrderStatus::PaymentPending).await;
    execute_order(test, order, OrderCommand::MarkPaidOutside).await;
    wait_for_status(test, order, OrderStatus::Confirmed).await;
    execute_order(test, order, OrderCommand::Erase { person: order.guest() }).await;
    execute_order(test, order, OrderCommand::ChangeAddress { address: Box::default() }).await;
    order
}

pub(super) async fn execute_order(test: &TestShop, order: OrderId, command: OrderCommand) {
    test.shop.ports.aggregates.orders.execute(test.request(Order::stream(order), command)).await.unwrap();
}

pub(super) async fn wait_for_status(test: &TestShop, order: OrderId, status: OrderStatus) {
    for _ in 0..400 {
        let loaded = test.shop.ports.aggregates.orders.load(&Order::stream(order)).await.unwrap().unwrap();
        if loaded.state.status() == Some(status) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the order did not become {}", status.as_str());
}

async fn has_address_key(test: &TestShop, order: OrderId) -> bool {
    let person = order.readdressed();
    let ring = test.shop.ports.people.keys_for_opening(vec![person.clone()]).await.unwrap();
    ring.get(&person).is_some()
}

#[tokio::test]
async fn the_new_address_of_an_erased_buyers_order_is_erased_when_the_order_ends() {
    let test = TestShop::open().await;
    let order = readdressed_order(&test).await;
    test.sweep(readdressed::ReaddressedOrders::new(&sweep_context(&test)), SignedDuration::ZERO).await;
    assert!(has_address_key(&test, order).await, "the order must still be shipped");
    execute_order(&test, order, OrderCommand::Ship { carrier: "post".into(), tracking: String::new() }).await;
    test.sweep(
        readdressed::ReaddressedOrders::new(&sweep_context(&test)),
        SignedDuration::from_hours(89 * 24),
    )
    .await;
    assert!(has_address_key(&test, order).await, "the parcel is on its way");
    execute_order(&test, order, OrderCommand::Deliver).await;
    test.sweep(readdressed::ReaddressedOrders::new(&sweep_context(&test)), SignedDuration::ZERO).await;
    assert!(!has_address_key(&test, order).await);
}

#[tokio::test]
async fn the_new_address_of_an_undelivered_order_is_erased_after_ninety_days() {
    let test = TestShop::open().await;
    let order = readdressed_order(&test).await;
    execute_order(&test, order, OrderCommand::Ship { carrier: "post".into(), tracking: String::new() }).await;
    test.sweep(
        readdressed::ReaddressedOrders::new(&sweep_context(&test)),
        SignedDuration::from_hours(91 * 24),
    )
    .await;
    assert!(!has_address_key(&test, order).await);
}
