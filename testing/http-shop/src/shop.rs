//! The test shop: its parts, and the callers that send requests to it.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response as HttpResponse;
use http_body_util::BodyExt;
use serde_json::Value;
use souk_command_api::auth::mailed_tokens::ResetPlaces;
use souk_command_api::{Accounts, Ports, Settings, SettledOrders};
use souk_domain::{AggregatePorts, CartId, Currency};
use souk_eventsourcing::testkit::KeysInMemory;
use souk_eventsourcing::{Clock, EventStore, StreamName};
use souk_gateway::{BodyHandling, Edge, Limits, RouteTable, edge};
use souk_http::identity::{Grant, issue};
use souk_http::{Guard, Keys, Role, cart_token};
use souk_mail_folder::MailFolder;
use souk_sqlite_credentials::SqliteCredentials;
use souk_sqlite_log::SqliteLog;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;
use uuid::Uuid;

use crate::clock::TestClock;
use crate::doubles::{CountedHashing, LogOrderFinder, OneParked, ScriptedProviders, TestProvider};
use crate::port::LogPorts;
use crate::{Call, Reads, Response, check_headers, customer_id, data_folder};

/// Secret of the webhook signature.
pub const WEBHOOK_SECRET: &str = "a shared secret";

/// Lifetime of the access tokens of tests.
const TOKEN_TTL: Duration = Duration::from_hours(1);

/// A shop with an empty log.
pub struct Shop {
    /// Ports of the command API. The query API uses the same stores.
    pub ports: Ports,
    /// Read models and the query API.
    pub reads: Reads,
    /// Log of the shop.
    pub log: Arc<SqliteLog>,
    /// Number of password comparisons.
    pub comparisons: Arc<AtomicU64>,
    /// Stops the shop when it is set to true.
    pub stop: watch::Sender<bool>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) loads: Arc<Mutex<Vec<StreamName>>>,
    pub(crate) folder: TempDir,
    router: Router,
}

impl Shop {
    /// Opens an empty shop.
    pub async fn open() -> Self {
        let folder = data_folder::make().await;
        let clock = Arc::new(TestClock::default());
        let log = data_folder::open_log(folder.path());
        let loads = Arc::default();
        let comparisons = Arc::default();
        let (stop, stopping) = watch::channel(false);
        let log_ports = LogPorts { log: Arc::clone(&log), clock: clock.clone(), loads: Arc::clone(&loads) };
        let ports = Ports {
            aggregates: AggregatePorts::open(&log_ports),
            maintenance: Arc::new(OneParked::default()),
            clock: clock.clone(),
            people: Arc::new(KeysInMemory::default()),
            erased: Arc::default(),
            accounts: accounts(folder.path(), clock.clone(), Arc::clone(&comparisons)).await,
            finder: Arc::new(LogOrderFinder(Arc::clone(&log))),
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
        let reads = Reads::open(folder.path(), &log, &ports).await;
        let router = router(&ports, &reads, log.clone());
        Self { ports, reads, log, comparisons, stop, clock, loads, folder, router }
    }

    /// Moves the clock forward.
    pub fn pass(&self, seconds: i64) {
        self.clock.pass(seconds);
    }

    /// Issues an access token for one hour.
    pub fn token(&self, subject: &str, role: Role) -> String {
        let subject = customer_id(subject);
        let grant = Grant { subject: &subject, role, ttl: TOKEN_TTL, session: None };
        issue(&self.ports.keys, grant, self.clock.now(), Uuid::nil())
    }

    /// Sends a request as an admin.
    pub async fn admin(&self, call: Call) -> Response {
        self.with_role(Role::Admin, "ops", call).await
    }

    /// Sends a request as a customer.
    pub async fn customer(&self, subject: &str, call: Call) -> Response {
        self.with_role(Role::Customer, subject, call).await
    }

    /// Sends a request as the guest of a cart.
    pub async fn guest(&self, cart: CartId, call: Call) -> Response {
        self.send(call.cart(&cart_token::issue(&self.ports.keys, cart))).await
    }

    /// Sends a request as a caller with this role.
    pub async fn with_role(&self, role: Role, subject: &str, call: Call) -> Response {
        self.as_user(&self.token(subject, role), call).await
    }

    /// Sends a request with an access token.
    pub async fn as_user(&self, token: &str, call: Call) -> Response {
        self.send(call.token(token)).await
    }

    /// Sends a request as it is, without adding an access token.
    pub async fn send(&self, call: Call) -> Response {
        let (parts, body) = self.send_unread(call).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Response { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Sends a request as it is, and returns the response with an unread body.
    pub async fn send_unread(&self, call: Call) -> HttpResponse<Body> {
        let method = call.method;
        let path = call.path.clone();
        let response = self.router.clone().oneshot(call.into_request()).await.unwrap();
        check_headers(method, &path, response.status().as_u16(), response.headers());
        response
    }

    /// Reads all pages of a list as a caller with this role, three items at a time.
    pub async fn pages(&self, path: &str, role: Role) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let call = Call::get(&format!("{path}{separator}limit=3{cursor}"));
            let page = self.with_role(role, "ops", call).await.done(200);
            items.extend(page.body["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page.body["nextCursor"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }
}

/// Opens the stores of accounts, with a cheap hash of passwords.
async fn accounts(folder: &Path, clock: Arc<dyn Clock>, comparisons: Arc<AtomicU64>) -> Accounts {
    Accounts {
        credentials: Arc::new(SqliteCredentials::open(folder).await.unwrap()),
        passwords: Arc::new(CountedHashing::new(comparisons)),
        outbox: Arc::new(MailFolder::new(folder, Arc::clone(&clock))),
        resets: ResetPlaces::default(),
        ended_sessions: Arc::default(),
        used_flows: Arc::default(),
        providers: Arc::new(ScriptedProviders::default()),
        guard: Arc::new(Guard::new(true, clock)),
    }
}

/// Puts the routes of both APIs behind the edge, without rate limits.
fn router(ports: &Ports, reads: &Reads, log: Arc<dyn EventStore>) -> Router {
    let (router, _) = souk_command_api::router(ports.clone())
        .merge(souk_query_api::router(reads.state.clone()))
        .merge(souk_query_api::log_browser(log, reads.state.clone()))
        .split_for_parts();
    let routes = souk_command_api::routes().into_iter().chain(souk_query_api::routes());
    let settings = Edge {
        routes: Arc::new(RouteTable::new(routes.collect())),
        tokens: ports.keys.clone(),
        ended_sessions: Arc::clone(&ports.accounts.ended_sessions),
        clock: Arc::clone(&ports.clock),
        limits: Arc::new(Limits::off()),
        bodies: BodyHandling::ReadHere,
        memory: Arc::default(),
        proxies: Arc::default(),
    };
    edge(router, settings)
}
