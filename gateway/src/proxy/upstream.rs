//! One process behind this one: how requests get there, and what is done when they don't.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, Request, Response, Uri, header};
use axum::response::Response as Answer;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use souk_http::Problem;
use souk_http_client::{CONNECT_MAX, Error, HttpClient, client, described};
use tokio::time::Instant;
use tower::ServiceExt as _;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::util::BoxCloneSyncService;
use tower_resilience_circuitbreaker::{
    CircuitBreakerError, CircuitBreakerLayer, CircuitState, SlidingWindowType,
};

use super::Head;
use super::headers;
use super::places::{Client, Held, NoPlace, Places, Visit};
use super::relayed::Relayed;
use crate::layers::Passed;
use crate::table::Route;

/// How often a request is sent again to which no answer came.
const REPEATS_MAX: u32 = 2;
/// How long the first of them waits; the next waits twice as long.
const REPEAT_AFTER: Duration = Duration::from_millis(50);
/// Of all requests, how many may be repeats, so that a process in trouble isn't given more to do; and how many
/// a second whatever the share.
const REPEATED_SHARE: f32 = 0.2;
const REPEATS_A_SECOND: u32 = 5;
/// Over how long that is counted.
const REPEATS_COUNTED: Duration = Duration::from_secs(10);
/// Requests that are looked at together, by time, and the least of them that tell anything.
const WINDOW: Duration = Duration::from_secs(10);
const CALLS_MIN: usize = 10;
/// The share of them that fails when no more are sent.
const FAILED_SHARE: f64 = 0.5;
/// How many try it first, when it is tried again. The library wants that many answers within the window before
/// it goes on: with more than one, a quiet night would never bring them together.
const PROBES: usize = 1;
/// How much longer than its route allows an answer may take: the shop says itself that its time is up.
const GRACE: Duration = Duration::from_secs(5);

/// Requests that an upstream has at once. Each has a connection, of some 50 KiB here.
const AT_ONCE_MAX: usize = 256;
/// Bytes of an upstream's answers that wait in this process for clients to read them, together.
const UNREAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One client address has at most one of so many parts of [`AT_ONCE_MAX`] and of [`UNREAD_BYTES_MAX`].
const PARTS: usize = 4;

/// What an upstream is held to.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Requests at once.
    pub at_once_max: usize,
    /// Bytes of answers that wait for clients.
    pub unread_bytes_max: usize,
    /// Parts of both, of which one client address has one at most.
    pub parts: usize,
    /// How long an answer may take, where its route allows more.
    pub answer_max: Duration,
    /// How long nothing is sent after too much has failed.
    pub open_for: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            at_once_max: AT_ONCE_MAX,
            unread_bytes_max: UNREAD_BYTES_MAX,
            parts: PARTS,
            answer_max: Duration::from_secs(900),
            open_for: Duration::from_secs(5),
        }
    }
}

/// An address that requests can't be sent to.
#[derive(Debug, thiserror::Error)]
pub enum NotAnUpstream {
    /// It is another kind of text.
    #[error("it is no address of a process: a scheme, a host and a port are wanted, and no path")]
    Address,
    /// The other side can't be told from somebody else.
    #[error("the system's certificates can't be used: {0}")]
    Tls(#[from] std::io::Error),
}

/// Whether requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They are.
    Closed,
    /// Some are, to find out.
    HalfOpen,
    /// They are not.
    Open,
}

/// A process behind this one.
pub struct Upstream {
    name: &'static str,
    scheme: Scheme,
    authority: Authority,
    patience: Patience,
    client: HttpClient<Body>,
    calls: BoxCloneSyncService<Call, Response<Incoming>, CircuitBreakerError<Failed>>,
    state: Arc<AtomicU8>,
    places: Arc<Places>,
    repeats: TpsBudget,
}

/// What goes through the breaker.
enum Call {
    /// A request, and how long its answer may take.
    Send(Box<Request<Body>>, Duration),
    /// An answer broke off that was counted as one.
    BrokeOff,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("no answer came")]
    NoAnswer(#[from] Error),
    #[error("no answer came in time")]
    TooSlow,
    #[error("the answer broke off")]
    BrokeOff,
}

/// A request on its way, as often as it takes.
pub(super) struct Outgoing {
    pub(super) head: Head,
    pub(super) route: &'static Route,
    /// Its body, whole: a place is taken for no request that is still on its way here.
    pub(super) body: Bytes,
    /// True if it does no more when it is sent twice.
    pub(super) may_repeat: bool,
}

impl Upstream {
    /// The process at an address, as in `http://10.0.0.5:8080`. The name is for people.
    pub fn new(name: &'static str, address: &str, patience: Patience) -> Result<Arc<Self>, NotAnUpstream> {
        let uri: Uri = address.parse().map_err(|_| NotAnUpstream::Address)?;
        let is_bare = uri.path() == "/" && uri.query().is_none();
        let (Some(scheme), Some(authority)) = (uri.scheme().cloned(), uri.authority().cloned()) else {
            return Err(NotAnUpstream::Address);
        };
        if !is_bare || authority.as_str().contains('@') || !["http", "https"].contains(&scheme.as_str()) {
            return Err(NotAnUpstream::Address);
        }
        let client = client(scheme == Scheme::HTTPS)?;
        let state = Arc::new(AtomicU8::new(CircuitState::Closed as u8));
        let calls = calls(name, client.clone(), patience.open_for, Arc::clone(&state));
        Ok(Arc::new(Self {
            name,
            scheme,
            authority,
            patience,
            client,
            calls,
            state,
            places: Places::new(patience),
            repeats: TpsBudget::new(REPEATS_COUNTED, REPEATS_A_SECOND, REPEATED_SHARE),
        }))
    }

    /// What people call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether requests are sent to it.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            state if state == CircuitState::Open as u8 => State::Open,
            state if state == CircuitState::HalfOpen as u8 => State::HalfOpen,
            _ => State::Closed,
        }
    }

    /// Bytes of its answers that wait for clients now.
    pub fn unread_bytes(&self) -> usize {
        self.places.unread_bytes()
    }

    /// Sends a request and relays its answer; again when no answer came and it may be sent again.
    pub(super) async fn send(
        self: &Arc<Self>,
        outgoing: &Outgoing,
        client: Client,
    ) -> Result<Answer, Problem> {
        let visit = self.places.visit(client);
        let place = visit.place().await.map_err(|why| self.full(why))?;
        let of_route = Duration::from_secs(outgoing.route.timeout_s) + GRACE;
        let end = Instant::now() + of_route.min(self.patience.answer_max);
        self.repeats.deposit();
        let mut repeats = 0;
        loop {
            let request = self.request(&outgoing.head, Body::from(outgoing.body.clone()))?;
            let left = end.saturating_duration_since(Instant::now());
            let call = Call::Send(Box::new(request), left);
            match self.calls.clone().oneshot(call).await {
                Ok(answer) => return Ok(self.relay(answer, end, visit, place)),
                Err(CircuitBreakerError::OpenCircuit) => return Err(self.rests()),
                Err(CircuitBreakerError::Inner(failed)) => {
                    let may_repeat = outgoing.may_repeat && matches!(failed, Failed::NoAnswer(_));
                    if !may_repeat || repeats == REPEATS_MAX || !self.repeats.withdraw() {
                        return Err(self.failed(&failed));
                    }
                }
            }
            tokio::time::sleep(REPEAT_AFTER * 2_u32.pow(repeats)).await;
            repeats += 1;
        }
    }

    /// What it publishes at a path, at most so many bytes of it, within a connection's time.
    pub(super) async fn fetch(&self, path: &'static str, bytes_max: usize) -> Result<Bytes, String> {
        let request = Request::get(self.uri(path)?).body(Body::empty()).map_err(|error| error.to_string())?;
        let fetched = async {
            let answer = self.client.request(request).await.map_err(|error| described(&error))?;
            if !answer.status().is_success() {
                return Err(format!("it answered {}", answer.status()));
            }
            let body = Limited::new(answer.into_body(), bytes_max).collect().await;
            Ok(body.map_err(|error| error.to_string())?.to_bytes())
        };
        let in_time = tokio::time::timeout(CONNECT_MAX, fetched).await;
        in_time.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
    }

    fn full(&self, why: NoPlace) -> Problem {
        let (of, problem) = match why {
            NoPlace::OfAddress => {
                let detail = format!(
                    "the upstream `{}` is handed {} requests at once of one client address",
                    self.name,
                    self.places.at_once_of_address()
                );
                ("address", Problem::new("rate-limited", detail).retry_after(1))
            }
            NoPlace::OfAll => ("all", self.unavailable("has as many requests as it may have at once", 1)),
        };
        metrics::counter!("souk_upstream_full_total", "upstream" => self.name, "of" => of).increment(1);
        problem
    }

    fn uri(&self, path_and_query: &str) -> Result<Uri, String> {
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        uri.path_and_query(path_and_query).build().map_err(|error| error.to_string())
    }

    fn request(&self, head: &Head, body: Body) -> Result<Request<Body>, Problem> {
        // As it was sent: what it names was looked up in the same words.
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = self.uri(path).map_err(|error| Problem::internal(&error))?;
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = head.headers.clone();
        Ok(request)
    }

    fn relay(
        self: &Arc<Self>,
        answer: Response<Incoming>,
        end: Instant,
        visit: Visit,
        place: Held,
    ) -> Answer {
        let (mut parts, body) = answer.into_parts();
        let is_problem = is_problem(&parts.headers);
        if parts.status.is_server_error() && !is_problem {
            // What answers here is no shop.
            return self.unavailable_answer(&format!("answered {}", parts.status.as_u16()));
        }
        parts.headers = headers::passed_back(&parts.headers);
        if !(parts.status.is_client_error() || parts.status.is_server_error()) || is_problem {
            parts.extensions.insert(Passed);
        }
        let upstream = Arc::clone(self);
        let broken = move || upstream.broke_off();
        Answer::from_parts(parts, Body::new(Relayed::new(body, end, broken, visit, place)))
    }

    /// An answer that was counted as one broke off.
    fn broke_off(&self) {
        tracing::warn!(upstream = self.name, "an answer broke off");
        metrics::counter!("souk_upstream_failures_total", "upstream" => self.name).increment(1);
        let calls = self.calls.clone();
        tokio::spawn(async move {
            // What they are for is that they are counted: one takes back that it was an answer, the other says what
            // it was.
            for _ in 0..2 {
                let _ = calls.clone().oneshot(Call::BrokeOff).await;
            }
        });
    }

    fn failed(&self, failed: &Failed) -> Problem {
        let reason = match failed {
            Failed::NoAnswer(error) => described(error),
            failed => failed.to_string(),
        };
        tracing::warn!(upstream = self.name, reason, "a request got no answer");
        metrics::counter!("souk_upstream_failures_total", "upstream" => self.name).increment(1);
        match failed {
            Failed::TooSlow => self.unavailable(
                "did not answer in time; a write may have been done: repeat it under its key",
                1,
            ),
            _ => self.unavailable("does not answer", 1),
        }
    }

    fn rests(&self) -> Problem {
        metrics::counter!("souk_upstream_refused_total", "upstream" => self.name).increment(1);
        let seconds = u32::try_from(self.patience.open_for.as_secs()).unwrap_or(u32::MAX).max(1);
        self.unavailable("failed too often and is left alone for a moment", seconds)
    }

    fn unavailable(&self, what: &str, seconds: u32) -> Problem {
        let detail = format!("the upstream `{}` {what}", self.name);
        Problem::new("upstream-unavailable", detail).retry_after(seconds)
    }

    fn unavailable_answer(&self, what: &str) -> Answer {
        use axum::response::IntoResponse as _;
        tracing::warn!(upstream = self.name, what, "an answer was none of a shop");
        self.unavailable(what, 1).into_response()
    }
}

/// Whether an answer is a problem, which says itself what is the matter.
fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json")
}

/// The way to a process. When too much fails the circuit is opened, and nothing is sent.
fn calls(
    name: &'static str,
    client: HttpClient<Body>,
    open_for: Duration,
    state: Arc<AtomicU8>,
) -> BoxCloneSyncService<Call, Response<Incoming>, CircuitBreakerError<Failed>> {
    let breaker = CircuitBreakerLayer::builder()
        .name(name)
        .failure_rate_threshold(FAILED_SHARE)
        .sliding_window_type(SlidingWindowType::TimeBased)
        .sliding_window_duration(WINDOW)
        .minimum_number_of_calls(CALLS_MIN)
        .wait_duration_in_open(open_for)
        .permitted_calls_in_half_open(PROBES)
        .failure_classifier(is_failure)
        .on_state_transition(move |from, to| {
            state.store(to as u8, Ordering::Relaxed);
            tracing::warn!(upstream = name, ?from, ?to, "an upstream is treated otherwise");
        })
        .build()
        .expect("its settings are constants that were tried");
    let send = move |call: Call| {
        let client = client.clone();
        async move {
            match call {
                Call::BrokeOff => Err(Failed::BrokeOff),
                Call::Send(request, time_max) => {
                    match tokio::time::timeout(time_max, client.request(*request)).await {
                        Ok(answered) => Ok(answered?),
                        Err(_) => Err(Failed::TooSlow),
                    }
                }
            }
        }
    };
    let service = tower::ServiceBuilder::new().layer(breaker).service(tower::service_fn(send));
    BoxCloneSyncService::new(service)
}

/// Returns true if the upstream is to blame: not for a 503 that says itself what is the matter.
fn is_failure(outcome: &Result<Response<Incoming>, Failed>) -> bool {
    match outcome {
        Ok(answer) => match answer.status().as_u16() {
            500 | 502 | 504 => true,
            503 => !is_problem(answer.headers()),
            _ => false,
        },
        Err(Failed::NoAnswer(_) | Failed::TooSlow | Failed::BrokeOff) => true,
    }
}
