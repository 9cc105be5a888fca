//! A test shop in memory behind its router, and short functions to send requests and check responses.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use souk_command_api::auth::mailed::Resets;
use souk_command_api::{Accounts, GuestOrder, OrderFinder, OrderOwner, Ports, Settings, SettledOrders};
use souk_domain::order::draft::order_code;
use souk_domain::order::event::Placed;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::{AggregatePorts, Currency, CustomerId, DebtId, OrderId, PaymentId, RefundId};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::testkit::{KeysInMemory, noon};
use souk_eventsourcing::{Clock, CommandRequest, CorrelationId, StreamName, Timestamp};
use souk_gateway::{Bodies, Edge, Limits, RouteTable, edge};
use souk_http::identity::{Grant, issue};
use souk_http::{Guard, Keys, Problem, Role};
use souk_mail_folder::MailFolder;
use souk_process_managers::{FoundPayment, PaymentProvider, ProviderAnswer, ProviderCall};
use souk_sign_in::password::{Comparison, Cost, Hashing, TooManyWaiting};
use souk_sign_in::{Password, Passwords};
use souk_sqlite_credentials::SqliteCredentials;
use tokio::sync::watch;
use tower::ServiceExt;
use uuid::Uuid;

use crate::documented::check_headers;
use crate::maintenance::OneParked;
use crate::port::{Log, MemoryPorts};
use crate::providers::Scripted;

/// Secret of the webhook signature.
pub(crate) const WEBHOOK_SECRET: &str = "a shared secret";

/// A clock that moves only when a test moves it.
pub(crate) struct TestClock {
    ahead_s: AtomicI64,
    ids: AtomicU64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        noon() + jiff::SignedDuration::from_secs(self.ahead_s.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> Uuid {
        let next = self.ids.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u128(0x0199_c2aa_bbcc_7000_8000_0000_0000_0000 + u128::from(next))
    }
}

/// A payment provider. Its id of a payment is `pay_` and the shop's id of the payment, followed by `#ATTEMPT`
/// from the second attempt on. Its id of a refund is `re_` and the shop's id of the refund.
struct TestProvider;

#[async_trait]
impl PaymentProvider for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }
    async fn call(&self, _: &ProviderCall, _: u32, _: &str) -> ProviderAnswer {
        panic!("the command side calls no provider")
    }
    async fn find_payment(&self, id: &str) -> Option<FoundPayment> {
        let id = id.strip_prefix("pay_")?;
        let (id, attempt) = match id.split_once('#') {
            Some((id, attempt)) => (id, attempt.parse().ok()?),
            None => (id, 1),
        };
        Some(FoundPayment { payment: PaymentId(id.parse().ok()?), attempt })
    }
    async fn find_refund(&self, id: &str) -> Option<RefundId> {
        id.strip_prefix("re_")?.parse().ok().map(RefundId)
    }
}

/// Hashes passwords in the current thread, and counts the comparisons.
struct CountedHashing(Hashing, Arc<AtomicU64>);

#[async_trait]
impl Passwords for CountedHashing {
    async fn hash(&self, password: Password) -> Result<String, TooManyWaiting> {
        Ok(self.0.hash(&password).unwrap())
    }

    async fn compare(&self, password: Password, hash: Option<String>) -> Result<Comparison, TooManyWaiting> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(self.0.compare(&password, hash.as_deref()))
    }
}

/// Finds orders by scanning the log.
struct Finder(Arc<Mutex<Log>>);

impl Finder {
    fn placed(&self, order: OrderId) -> Option<Placed> {
        let events = self.0.lock().unwrap().stream(&Order::stream(order));
        Some(serde_json::from_slice(&events.first()?.event.data).unwrap())
    }
}

#[async_trait]
impl OrderFinder for Finder {
    async fn by_code(&self, code: &str) -> Result<Vec<GuestOrder>, Problem> {
        let streams = self.0.lock().unwrap().of_category("order");
        let orders = streams.iter().map(|stream| OrderId(stream.id().parse().unwrap()));
        let guests = orders.filter(|order| order_code(*order) == code).filter_map(|order| {
            let draft = self.placed(order)?.draft;
            draft.email.filter(|_| draft.customer.is_none()).map(|email| GuestOrder { order, email })
        });
        Ok(guests.collect())
    }

    async fn owner_of(&self, order: OrderId) -> Result<Option<OrderOwner>, Problem> {
        let owner = |placed: Placed| OrderOwner { customer: placed.draft.customer, cart: placed.draft.cart };
        Ok(self.placed(order).map(owner))
    }

    async fn has_orders(&self, customer: &CustomerId) -> Result<bool, Problem> {
        let streams = self.0.lock().unwrap().of_category("order");
        let orders = streams.iter().map(|stream| OrderId(stream.id().parse().unwrap()));
        let mut placed = orders.filter_map(|order| self.placed(order));
        Ok(placed.any(|placed| placed.draft.customer.as_ref() == Some(customer)))
    }

    async fn open_debts(&self) -> Result<i64, Problem> {
        Ok(0)
    }

    async fn payment_of(&self, debt: DebtId) -> Result<Option<PaymentId>, Problem> {
        let log = self.0.lock().unwrap();
        let mentions_debt = |stream: &StreamName| {
            log.stream(stream)
                .iter()
                .any(|event| String::from_utf8_lossy(&event.event.data).contains(&debt.to_string()))
        };
        let found = log.of_category("payment").into_iter().find(mentions_debt);
        Ok(found.map(|stream| PaymentId(stream.id().parse().unwrap())))
    }
}

/// A shop in memory.
pub(crate) struct TestShop {
    /// Ports of the command side.
    pub(crate) ports: Ports,
    /// Log in memory that all ports write to.
    pub(crate) log: Arc<Mutex<Log>>,
    /// Clock that tests move with [`TestShop::pass`].
    pub(crate) clock: Arc<TestClock>,
    /// Number of password comparisons.
    pub(crate) comparisons: Arc<AtomicU64>,
    /// Stops the shop when it is set to true.
    pub(crate) stop: watch::Sender<bool>,
    router: Router,
    folder: tempfile::TempDir,
}

impl TestShop {
    /// Opens an empty shop.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let test_clock = Arc::new(TestClock { ahead_s: AtomicI64::new(0), ids: AtomicU64::new(1) });
        let clock: Arc<dyn Clock> = test_clock.clone();
        let log = Arc::new(Mutex::new(Log::default()));
        let (stop, stopping) = watch::channel(false);
        let hashing = Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let comparisons = Arc::new(AtomicU64::new(0));
        let ports = Ports {
            aggregates: AggregatePorts::open(&MemoryPorts {
                log: Arc::clone(&log),
                clock: Arc::clone(&clock),
            }),
            maintenance: Arc::new(OneParked::default()),
            clock: Arc::clone(&clock),
            people: Arc::new(KeysInMemory::default()),
            erased: Arc::default(),
            accounts: Accounts {
                credentials: Arc::new(SqliteCredentials::open(folder.path()).await.unwrap()),
                passwords: Arc::new(CountedHashing(hashing, Arc::clone(&comparisons))),
                outbox: Arc::new(MailFolder::new(folder.path(), Arc::clone(&clock))),
                resets: Resets::default(),
                ended_sessions: Arc::default(),
                used_flows: Arc::default(),
                providers: Arc::new(Scripted::default()),
                guard: Arc::new(Guard::new(true, Arc::clone(&clock))),
            },
            finder: Arc::new(Finder(Arc::clone(&log))),
            provider: Arc::new(TestProvider),
            settled: Arc::new(SettledOrders::default()),
            run_timers: Arc::new(|| Box::pin(async { 3 })),
            settings: Settings {
                currency: Currency::GBP,
                payment_timeout: Duration::from_mins(15),
                public_url: "https://shop.example".to_owned(),
                webhook_secret: Some(WEBHOOK_SECRET.to_owned()),
            },
            keys: Arc::new(Keys::open(folder.path()).unwrap()),
            stopping,
        };
        let (router, _) = souk_command_api::router(ports.clone()).split_for_parts();
        let settings = Edge {
            routes: Arc::new(RouteTable::new(souk_command_api::routes())),
            tokens: ports.keys.clone(),
            ended_sessions: Arc::clone(&ports.accounts.ended_sessions),
            clock,
            limits: Arc::new(Limits::off()),
            bodies: Bodies::ReadHere,
            room: Arc::default(),
            proxies: Arc::default(),
        };
        let router = edge(router, settings);
        Self { ports, log, clock: test_clock, comparisons, stop, router, folder }
    }

    /// Opens a shop that sells the SKU `heart` for 2.55 GBP and `star` for 10.00 GBP.
    pub(crate) async fn stocked() -> Self {
        let shop = Self::open().await;
        for (sku, amount) in [("heart", 255), ("star", 1000)] {
            shop.admin(Call::post("/api/products", &product(sku, amount))).await.done(201);
        }
        shop
    }

    /// Issues an access token for one hour.
    pub(crate) fn token(&self, subject: &str, role: Role) -> String {
        let subject = CustomerId::parse(subject).unwrap();
        let grant = Grant { subject: &subject, role, ttl: Duration::from_hours(1), session: None };
        issue(&self.ports.keys, grant, self.clock.now(), Uuid::nil())
    }

    /// Returns the latest e-mail to a user.
    pub(crate) fn last_mail(&self, user: &str) -> Option<String> {
        let folder = MailFolder::new(self.folder.path(), self.clock.clone());
        let files = std::fs::read_dir(folder.folder_of(&CustomerId::parse(user).unwrap())).ok()?;
        let last = files.map(|file| file.unwrap().path()).max()?;
        Some(std::fs::read_to_string(last).unwrap())
    }

    /// Returns the number of e-mails to a user.
    pub(crate) fn mails(&self, user: &str) -> usize {
        let folder = MailFolder::new(self.folder.path(), self.clock.clone());
        let files = std::fs::read_dir(folder.folder_of(&CustomerId::parse(user).unwrap()));
        let names = files.into_iter().flatten().map(|file| file.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).count()
    }

    /// Waits until a user has this number of e-mails.
    pub(crate) async fn until_mails(&self, user: &str, mails: usize) {
        for _ in 0..1_000 {
            if self.mails(user) == mails {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} mails, not {mails}", self.mails(user));
    }

    /// Returns true if a file at the top level of the data folder contains the bytes.
    pub(crate) fn has_in_files(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files = files.filter(|path| path.is_file());
        files.any(|path| std::fs::read(path).unwrap().windows(bytes.len()).any(|part| part == bytes))
    }

    /// Sends a request with an access token.
    pub(crate) async fn as_user(&self, token: &str, call: Call) -> TestResponse {
        self.send(call.header("authorization", &format!("Bearer {token}"))).await
    }

    /// Moves the clock forward.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.ahead_s.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sends a request as an admin.
    pub(crate) async fn admin(&self, call: Call) -> TestResponse {
        self.send(call.header("authorization", &format!("Bearer {}", self.token("ops", Role::Admin)))).await
    }

    /// Sends a request as a customer.
    pub(crate) async fn customer(&self, subject: &str, call: Call) -> TestResponse {
        self.send(call.header("authorization", &format!("Bearer {}", self.token(subject, Role::Customer))))
            .await
    }

    /// Sends a request as it is, without adding an access token.
    pub(crate) async fn send(&self, call: Call) -> TestResponse {
        let mut request = Request::builder().method(call.method).uri(&call.path);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::from(call.body)).unwrap();
        if let Some(address) = call.address {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 40_000)));
        }
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        check_headers(call.method, &call.path, parts.status.as_u16(), &parts.headers);
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        TestResponse { status: parts.status, headers: parts.headers, body }
    }

    /// Executes a command on an order as the checkout process.
    pub(crate) async fn as_checkout(&self, order: &str, command: OrderCommand) {
        let order = OrderId(order.parse().unwrap());
        let correlation = CorrelationId::from(Uuid::nil());
        let origin = Origin::new(self.clock.new_id(), Actor::new("process", "checkout"), correlation);
        let stream = Order::stream(order);
        self.ports
            .aggregates
            .orders
            .execute(CommandRequest::new(stream.clone(), command, origin))
            .await
            .unwrap();
        let events = self.log.lock().unwrap().stream(&stream);
        self.ports.settled.observe(&events);
    }

    /// Returns the types of the events of a stream.
    pub(crate) fn event_types(&self, stream: &souk_eventsourcing::StreamName) -> Vec<String> {
        self.log.lock().unwrap().stream(stream).iter().map(|event| event.event_type().to_owned()).collect()
    }
}

/// Returns the request body of a product with one variant.
pub(crate) fn product(sku: &str, amount: i64) -> Value {
    json!({"name": format!("A {sku}"), "sku": sku, "price": {"amount": amount, "currency": "GBP"}})
}

/// A request to the shop.
#[derive(Clone)]
pub(crate) struct Call {
    method: &'static str,
    path: String,
    headers: BTreeMap<&'static str, String>,
    body: Vec<u8>,
    address: Option<IpAddr>,
}

impl Call {
    /// Makes a request with any method.
    pub(crate) fn new(method: &'static str, path: &str, body: Vec<u8>) -> Self {
        let headers = BTreeMap::from([("x-api-version", "v1".to_owned())]);
        Self { method, path: path.to_owned(), headers, body, address: None }
            .header("content-type", "application/json")
    }

    /// Makes a `POST` request with a JSON body.
    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path, body.to_string().into_bytes())
    }

    /// Makes a `POST` request with any bytes as its body.
    pub(crate) fn post_raw(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path, body.into())
    }

    /// Makes a `PUT` request with a JSON body.
    pub(crate) fn put(path: &str, body: &Value) -> Self {
        Self::new("PUT", path, body.to_string().into_bytes())
    }

    /// Makes a `GET` request.
    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path, Vec::new())
    }

    /// Makes a `HEAD` request.
    pub(crate) fn head(path: &str) -> Self {
        Self::new("HEAD", path, Vec::new())
    }

    /// Sets a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..self }
    }

    /// Makes a `DELETE` request.
    pub(crate) fn delete(path: &str) -> Self {
        Self::new("DELETE", path, Vec::new())
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    /// Removes a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sets the client address.
    pub(crate) fn from(self, address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), ..self }
    }

    /// Sets the idempotency key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sets a guest's cart token.
    pub(crate) fn cart(self, token: &str) -> Self {
        self.header("x-cart-token", token)
    }
}

/// A response of the shop.
#[derive(Debug)]
pub(crate) struct TestResponse {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// HTTP headers.
    pub(crate) headers: HeaderMap,
    /// JSON body; null if the body is not JSON.
    pub(crate) body: Value,
}

impl TestResponse {
    /// Asserts that the response has this status.
    #[track_caller]
    pub(crate) fn done(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    /// Asserts that the response is a problem with this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self
    }

    /// Asserts that the problem has an error with this pointer and code.
    #[track_caller]
    pub(crate) fn at(self, pointer: &str, code: &str) -> Self {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let is_named = errors.iter().any(|error| error["pointer"] == pointer && error["code"] == code);
        assert!(is_named, "no {code} at {pointer}: {}", self.body);
        self
    }

    /// Returns a text field of the body.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    /// Returns the value of a header; empty if it is absent.
    pub(crate) fn head(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
