//! Test shop: tests append events to its log, project them to the read models, and send requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::Value;
use souk_domain::cart::event::{CartLine, ItemAdded};
use souk_domain::cart::{Cart, CartEvent};
use souk_domain::order::event::{Draft, OrderLine, Placed};
use souk_domain::order::{Order, OrderEvent};
use souk_domain::product::event::{Created, Variant};
use souk_domain::product::{Content, Product, ProductEvent};
use souk_domain::stock::event::Counted;
use souk_domain::stock::{Stock, StockEvent};
use souk_domain::{CartId, Currency, CustomerId, Money, OrderId, ProductId, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::ReadModelStore;
use souk_eventsourcing::testkit::{KeysInMemory, noon, sealed};
use souk_eventsourcing::{
    Actor, Append, Clock, CorrelationId, EventPayload, EventStore, Expected, Filter, NewEvent, Position,
    StreamName, Timestamp,
};
use souk_gateway::{Bodies, Edge, Limits, RouteTable, edge};
use souk_http::identity::Grant;
use souk_http::{Guard, Keys, Role, cart_token, identity};
use souk_mail_folder::MailFolder;
use souk_query_api::{ParkedEntities, QueryPorts, QueryState, ReadModelProgress, ReadPositions};
use souk_sqlite_credentials::SqliteCredentials;
use souk_sqlite_log::{Options, SqliteLog};
use souk_sqlite_read_models::SqliteReadModels;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;
use uuid::Uuid;

use crate::documented::check_headers;

/// Key that hashes e-mail addresses.
pub(crate) const EMAIL_KEY: [u8; 32] = [1; 32];

/// Maximum number of bytes of a response body that a test reads.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(crate) struct Shop {
    pub(crate) folder: TempDir,
    /// Position that the query API takes as reached by all read models.
    pub(crate) reached: watch::Sender<Position>,
    /// False while a test simulates that the read models are not updated.
    pub(crate) following: watch::Sender<bool>,
    pub(crate) stop: watch::Sender<bool>,
    /// False while a test simulates that a read model is not built yet.
    pub(crate) built: watch::Sender<bool>,
    pub(crate) parked: watch::Sender<Arc<ParkedEntities>>,
    pub(crate) people: Arc<KeysInMemory>,
    /// Paths in the `OpenAPI` document.
    pub(crate) documented: Vec<String>,
    app: Router,
    keys: Arc<Keys>,
    log: Arc<SqliteLog>,
    models: Arc<SqliteReadModels>,
    projectors: Vec<Box<dyn ErasedProjector>>,
    last_command: u128,
}

/// Clock that always returns noon.
struct Noon(AtomicU64);

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        noon()
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u64_pair(1, self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Settings of the edge, without rate limits.
fn edge_settings(keys: Arc<Keys>, clock: Arc<dyn Clock>) -> Edge {
    Edge {
        routes: Arc::new(RouteTable::new(souk_query_api::routes())),
        tokens: keys,
        ended_sessions: Arc::default(),
        clock,
        limits: Arc::new(Limits::off()),
        bodies: Bodies::ReadHere,
        room: Arc::default(),
        proxies: Arc::default(),
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(folder.path(), &Options::default()).unwrap();
        let models =
            SqliteReadModels::open(folder.path(), Uuid::nil(), souk_sqlite_read_models::Tuning::SERVING)
                .unwrap();
        let mut projectors = souk_projections::all();
        let opened = ReadModelStore::open(&*models, &souk_projections::models()).await.unwrap();
        for (projector, opened) in projectors.iter_mut().zip(opened) {
            projector.start_at(opened);
        }
        let keys = Arc::new(Keys::open(folder.path()).unwrap());
        let (reached, reached_receiver) = watch::channel(Position::START);
        let (stop, stopping) = watch::channel(false);
        let store: Arc<dyn EventStore> = log.clone();
        let (built, built_receiver) = watch::channel(true);
        let (parked, parked_receiver) = watch::channel(Arc::new(ParkedEntities::default()));
        let (following, following_receiver) = watch::channel(true);
        let progress = ReadModelProgress {
            reached: reached_receiver,
            following: following_receiver,
            built: built_receiver,
            parked: parked_receiver,
        };
        let positions = ReadPositions::new(progress, log.watch_head(), stopping);
        let clock: Arc<dyn Clock> = Arc::new(Noon(AtomicU64::new(1)));
        let guard = Arc::new(Guard::new(true, Arc::clone(&clock)));
        let outbox = Arc::new(MailFolder::new(folder.path(), Arc::clone(&clock)));
        let people = Arc::new(KeysInMemory::default());
        let credentials = Arc::new(SqliteCredentials::open(folder.path()).await.unwrap());
        let currency = Currency::GBP;
        let people_keys = people.clone();
        let ports = QueryPorts {
            currency,
            correlation_key: [2; 32],
            people: people_keys,
            credentials,
            outbox,
            clock: clock.clone(),
            guard,
            rebuilding: Arc::new(Vec::new),
        };
        let state = QueryState::open(models.path(), positions, ports);
        let (router, document) = souk_query_api::router(state.clone())
            .merge(souk_query_api::log_browser(store, state))
            .split_for_parts();
        let documented = document.paths.paths.keys().cloned().collect();
        let app = edge(router, edge_settings(Arc::clone(&keys), clock));
        Self {
            folder,
            documented,
            people,
            reached,
            following,
            stop,
            app,
            keys,
            log,
            models,
            projectors,
            built,
            parked,
            last_command: 0,
        }
    }

    /// Appends an event with the time noon to the log. [`Shop::project`] applies it to the read models.
    pub(crate) async fn append_event(&mut self, stream: &StreamName, event: impl EventPayload) {
        self.append_event_at(stream, event, noon()).await;
    }

    pub(crate) async fn append_event_at(
        &mut self,
        stream: &StreamName,
        event: impl EventPayload,
        at: Timestamp,
    ) {
        let envelope = self.origin().envelope(stream, 0, &event, at);
        self.append(stream, envelope).await;
    }

    /// Appends an event that belongs to the request with this correlation id.
    pub(crate) async fn append_in_request(
        &mut self,
        request: &str,
        stream: &StreamName,
        event: impl EventPayload,
    ) {
        let correlation = CorrelationId::parse(request).unwrap();
        let origin = Origin::new(self.next_command(), Actor::new("admin", "ops"), correlation);
        self.append(stream, origin.envelope(stream, 0, &event, noon())).await;
    }

    /// Appends the event of a command that had an idempotency key and changed nothing.
    pub(crate) async fn append_noted(&mut self, stream: &StreamName) {
        let envelope = self.origin().noted(stream, noon());
        self.append(stream, envelope).await;
    }

    fn next_command(&mut self) -> Uuid {
        self.last_command += 1;
        Uuid::from_u128(self.last_command)
    }

    fn origin(&mut self) -> Origin {
        let id = self.next_command();
        Origin::new(id, Actor::new("admin", "ops"), CorrelationId::from(id))
    }

    async fn append(&self, stream: &StreamName, event: NewEvent) {
        let append = Append { stream: stream.clone(), expected: Expected::Any, events: sealed(vec![event]) };
        self.log.append(append).await.unwrap();
    }

    /// Updates the read models from all new events of the log.
    pub(crate) async fn project(&mut self) -> Position {
        let after = self.projectors[0].checkpoint();
        let page = self.log.read_all(after, 8_192, &Filter::all()).await.unwrap();
        let mut changes = Vec::new();
        for projector in &mut self.projectors {
            let keys = projector.plan(&page.events).unwrap();
            let loaded = ReadModelStore::load(&*self.models, projector.build(), keys).await.unwrap();
            changes.push(projector.fold(loaded, page.reached).unwrap());
        }
        self.models.commit(changes).await.unwrap();
        self.projectors.iter_mut().for_each(|projector| projector.committed());
        self.reached.send_replace(page.reached);
        page.reached
    }

    pub(crate) fn get(&self, path: &str) -> TestRequest<'_> {
        let request = Request::get(path).header("x-api-version", "v1").body(Body::empty()).unwrap();
        TestRequest { shop: self, request }
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> TestResponse {
        TestRequest { shop: self, request }.send().await
    }

    /// Reads all pages of a list, three items at a time.
    pub(crate) async fn pages(&self, path: &str, role: Role) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{separator}limit=3{cursor}")).token(role, "ops").send().await;
            assert_eq!(page.status, 200, "{:?}", page.json);
            items.extend(page.json["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page.json["nextCursor"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }
}

/// Request to a test shop.
pub(crate) struct TestRequest<'a> {
    shop: &'a Shop,
    request: Request<Body>,
}

pub(crate) struct TestResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl TestRequest<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn token(self, role: Role, subject: &str) -> Self {
        let subject = customer(subject);
        let ttl = Duration::from_mins(1);
        let grant = Grant { subject: &subject, role, ttl, session: None };
        let token = identity::issue(&self.shop.keys, grant, noon(), Uuid::nil());
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cart(self, cart: CartId) -> Self {
        let token = cart_token::issue(&self.shop.keys, cart);
        self.header("x-cart-token", &token)
    }

    /// Sends the request and returns the response with an unread body.
    pub(crate) async fn respond(self) -> Response<Body> {
        let method = self.request.method().to_string();
        let path = self.request.uri().path().to_owned();
        let response = self.shop.app.clone().oneshot(self.request).await.unwrap();
        check_headers(&method, &path, response.status().as_u16(), response.headers());
        response
    }

    pub(crate) async fn send(self) -> TestResponse {
        let response = self.respond().await;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = to_bytes(response.into_body(), BODY_BYTES_MAX).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        TestResponse { status, headers, json }
    }
}

impl TestResponse {
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{:?}", self.json);
    }

    /// Returns a field of each item.
    pub(crate) fn items(&self, field: &str) -> Vec<String> {
        fields(self.json["items"].as_array().expect("a list"), field)
    }
}

pub(crate) fn fields(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or("?").to_owned()).collect()
}

pub(crate) fn later(minutes: i64) -> Timestamp {
    noon() + jiff::SignedDuration::from_mins(minutes)
}

pub(crate) fn pounds(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

pub(crate) fn customer(text: &str) -> CustomerId {
    CustomerId::parse(text).unwrap()
}

pub(crate) fn product(number: u128) -> ProductId {
    ProductId(Uuid::from_u128(number))
}

pub(crate) fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

pub(crate) fn guest_cart(number: u128) -> CartId {
    CartId(Uuid::from_u128(number))
}

/// Content of an active product with these variants, given by SKU and price.
pub(crate) fn content(name: &str, category: &str, variants: &[(&str, i64)]) -> Content {
    let variant = |(text, amount): &(&str, i64)| Variant {
        sku: sku(text),
        options: std::collections::BTreeMap::new(),
        price: pounds(*amount),
        images: Vec::new(),
    };
    Content {
        name: name.to_owned(),
        description: String::new(),
        category: category.to_owned(),
        attributes: Vec::new(),
        active: true,
        variants: variants.iter().map(variant).collect(),
    }
}

/// Draft of an order with one line for each SKU: one unit at £1.
pub(crate) fn draft(number: u128, buyer: Option<&str>, skus: &[&str]) -> Draft {
    let line = |text: &&str| OrderLine {
        sku: sku(text),
        product: product(1),
        name: format!("Thing {text}"),
        quantity: 1,
        unit_price: pounds(100),
        shown_price: None,
    };
    Draft {
        order: order(number),
        code: format!("SK-{number:04}"),
        customer: buyer.map(customer),
        cart: None,
        email: None,
        email_hash: None,
        shipping_address: None,
        lines: skus.iter().map(line).collect(),
        charges: Vec::new(),
        total: pounds(100 * i64::try_from(skus.len()).unwrap()),
        payment_token: None,
        placed_at: noon(),
        pay_by: later(15),
    }
}

impl Shop {
    pub(crate) async fn create_product(&mut self, number: u128, content: Content) {
        let minutes = i64::try_from(number).unwrap();
        let stream = Product::stream(product(number));
        self.append_event_at(&stream, ProductEvent::from(Created { content }), later(minutes)).await;
    }

    pub(crate) async fn count_stock(&mut self, text: &str, on_hand: i64) {
        self.append_event(&Stock::stream(&sku(text)), StockEvent::from(Counted { on_hand })).await;
    }

    pub(crate) async fn add_to_cart(&mut self, cart: CartId, text: &str, quantity: u32, amount: i64) {
        let line = CartLine { sku: sku(text), product: product(1), quantity, unit_price: pounds(amount) };
        self.append_event(&Cart::stream(cart), CartEvent::from(ItemAdded { line, customer: None })).await;
    }

    pub(crate) async fn place_order(&mut self, draft: Draft) {
        self.append_event(&Order::stream(draft.order), OrderEvent::from(Placed { draft })).await;
    }
}
