use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use souk_command_api::payments::request::WebhookRequest;
use souk_command_api::payments::webhook::{Told, tell, tell_again};
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
use uuid::Uuid;

use super::*;
use crate::clock::SystemClock;
use crate::testing::TestShop;

/// A clock that is ahead.
pub(super) struct Ahead(pub(super) SignedDuration);

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
    pub(super) async fn sweep(&self, sweep: impl Sweep, ahead: SignedDuration) {
        self.sweep_over(sweep, &Shop { clock: Arc::new(Ahead(ahead)), ..self.shop.shop.clone() }).await;
    }

    /// The same over a shop that a test has changed.
    pub(super) async fn sweep_over(&self, mut sweep: impl Sweep, shop: &Shop) {
        self.shop.wait_for(self.shop.log.head().await.unwrap()).await;
        sweep.step(&super::open(self.shop.read_models.path()), shop).await.unwrap();
    }

    pub(super) fn request<C>(&self, stream: StreamName, command: C) -> CommandRequest<C> {
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

/// A guest's order, by an address.
pub(super) fn guests_order(order: OrderId, email: &Email, now: Timestamp) -> Draft {
    let unit_price = Money::new(255, Currency::GBP);
    let product = ProductId(Uuid::from_u128(1));
    let line =
        OrderLine { sku: sku(), product, name: "Heart".into(), quantity: 1, unit_price, shown_price: None };
    let parts = draft::Parts {
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
    Draft::assemble(parts).unwrap()
}

/// The read models and keys as sweeps find them once everything is built.
pub(super) fn standing(test: &TestShop) -> Standing {
    Standing {
        reached: watch::channel(Position(u64::MAX)).1,
        built: watch::channel(true).1,
        head: watch::channel(Position(0)).1,
        head_at_start: Position(0),
        sealed_appends: SealedAppends::default(),
        people: Arc::default(),
        keys: test.shop.complete.clone(),
    }
}

#[tokio::test]
async fn guests_orders_and_accounts_of_older_logs_find_each_other_and_newer_ones() {
    let test = TestShop::open().await;
    let shop = &test.shop.shop;
    let email = Email::parse("ada@example.org").unwrap();
    let hash = email.hash(&shop.keys.email_hash);
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
    shop.accounts.users.execute(test.request(User::stream(user), register)).await.unwrap();
    let older = OrderId(Uuid::from_u128(8));
    let newer = OrderId(Uuid::from_u128(9));
    let draft = guests_order(older, &email, shop.clock.now());
    let draft = Draft { email_hash: Some(hash.clone()), ..draft };
    let place = OrderCommand::Place(Box::new(draft));
    shop.orders.execute(test.request(Order::stream(older), place)).await.unwrap();
    // A request that was refused linked somebody else's order with this address.
    let foreign = OrderId(Uuid::from_u128(10));
    let other = Email::parse("bob@example.org").unwrap();
    shop.people.link(vec![(foreign.guest(), hash.as_str().to_owned())]).await.unwrap();
    let place = OrderCommand::Place(Box::new(guests_order(foreign, &other, shop.clock.now())));
    shop.orders.execute(test.request(Order::stream(foreign), place)).await.unwrap();
    let place = OrderCommand::Place(Box::new(guests_order(newer, &email, shop.clock.now())));
    shop.orders.execute(test.request(Order::stream(newer), place)).await.unwrap();
    let standing = standing(&test);
    for order in [older, newer] {
        let is_theirs = async || {
            let loaded = shop.orders.load(&Order::stream(order)).await.unwrap().unwrap();
            let ring = shop.people.to_open(vec![order.guest()]).await.unwrap();
            loaded.state.customer() == Some(&user.customer()) && ring.get(&order.guest()).is_none()
        };
        let mut steps = 0;
        while !is_theirs().await {
            steps += 1;
            assert!(steps < 100, "{order} is attached to nobody");
            test.sweep(guests::Unattached::new(&standing), SignedDuration::from_hours(1)).await;
        }
    }
    assert_eq!(shop.people.linked_after(None, 9).await.unwrap(), []);
    let loaded = shop.orders.load(&Order::stream(foreign)).await.unwrap().unwrap();
    assert_eq!(loaded.state.customer(), None);
}

#[tokio::test]
async fn an_account_whose_address_is_not_proven_gets_no_guests_orders() {
    let test = TestShop::open().await;
    let shop = &test.shop.shop;
    let email = Email::parse("ada@example.org").unwrap();
    let alias = shop.people.make_alias(email.hash(&shop.keys.email_hash).as_str()).await.unwrap();
    let user = UserId(Uuid::from_u128(7));
    let registration = Registration {
        user,
        email: email.clone(),
        email_hash: EmailHash::parse(&alias).unwrap(),
        name: "Ada".into(),
        is_verified: false,
        role: UserRole::Customer,
    };
    let tell = async |command| {
        shop.accounts.users.execute(test.request(User::stream(user), command)).await.unwrap();
    };
    tell(UserCommand::Register(Box::new(registration))).await;
    tell(UserCommand::VerifyEmail { is_proven: false }).await;
    let order = OrderId(Uuid::from_u128(8));
    let place = OrderCommand::Place(Box::new(guests_order(order, &email, shop.clock.now())));
    shop.orders.execute(test.request(Order::stream(order), place)).await.unwrap();
    let standing = standing(&test);
    let is_theirs = async || {
        let loaded = shop.orders.load(&Order::stream(order)).await.unwrap().unwrap();
        loaded.state.customer() == Some(&user.customer())
    };
    for _ in 0..3 {
        test.sweep(guests::Unattached::new(&standing), SignedDuration::from_hours(1)).await;
    }
    assert_eq!(shop.people.linked_after(None, 9).await.unwrap().len(), 1);
    assert!(!is_theirs().await);
    tell(UserCommand::VerifyEmail { is_proven: true }).await;
    let mut steps = 0;
    while !is_theirs().await {
        steps += 1;
        assert!(steps < 100, "the order is attached to nobody");
        test.sweep(guests::Unattached::new(&standing), SignedDuration::from_hours(1)).await;
    }
}

/// An order of a guest's, paid for, whose guest was erased and that the shop gave an address.
async fn readdressed_order(test: &TestShop) -> OrderId {
    let shop = &test.shop.shop;
    let order = OrderId(Uuid::from_u128(8));
    let email = Email::parse("ada@example.org").unwrap();
    let count = StockCommand::Count { on_hand: 10 };
    shop.stock.execute(test.request(Stock::stream(&sku()), count)).await.unwrap();
    tell_order(test, order, OrderCommand::Place(Box::new(guests_order(order, &email, shop.clock.now()))))
        .await;
    until(test, order, OrderStatus::PaymentPending).await;
    tell_order(test, order, OrderCommand::MarkPaidOutside).await;
    until(test, order, OrderStatus::Confirmed).await;
    tell_order(test, order, OrderCommand::Erase { person: order.guest() }).await;
    tell_order(test, order, OrderCommand::ChangeAddress { address: Box::default() }).await;
    order
}

pub(super) async fn tell_order(test: &TestShop, order: OrderId, command: OrderCommand) {
    test.shop.shop.orders.execute(test.request(Order::stream(order), command)).await.unwrap();
}

pub(super) async fn until(test: &TestShop, order: OrderId, status: OrderStatus) {
    for _ in 0..400 {
        let loaded = test.shop.shop.orders.load(&Order::stream(order)).await.unwrap().unwrap();
        if loaded.state.status() == Some(status) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the order is never {}", status.as_str());
}

async fn has_address_key(test: &TestShop, order: OrderId) -> bool {
    let person = order.readdressed();
    let ring = test.shop.shop.people.to_open(vec![person.clone()]).await.unwrap();
    ring.get(&person).is_some()
}

#[tokio::test]
async fn the_address_that_an_erased_buyers_order_got_is_forgotten_when_the_order_ends() {
    let test = TestShop::open().await;
    let order = readdressed_order(&test).await;
    test.sweep(readdressed::Readdressed::default(), SignedDuration::ZERO).await;
    assert!(has_address_key(&test, order).await, "it is to be shipped still");
    tell_order(&test, order, OrderCommand::Ship { carrier: "post".into(), tracking: String::new() }).await;
    test.sweep(readdressed::Readdressed::default(), SignedDuration::from_hours(89 * 24)).await;
    assert!(has_address_key(&test, order).await, "it is on its way");
    tell_order(&test, order, OrderCommand::Deliver).await;
    test.sweep(readdressed::Readdressed::default(), SignedDuration::ZERO).await;
    assert!(!has_address_key(&test, order).await);
}

#[tokio::test]
async fn the_address_of_a_parcel_that_nobody_says_arrived_is_forgotten_after_ninety_days() {
    let test = TestShop::open().await;
    let order = readdressed_order(&test).await;
    tell_order(&test, order, OrderCommand::Ship { carrier: "post".into(), tracking: String::new() }).await;
    test.sweep(readdressed::Readdressed::default(), SignedDuration::from_hours(91 * 24)).await;
    assert!(!has_address_key(&test, order).await);
}
