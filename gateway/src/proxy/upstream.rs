//! Upstream: a shop process behind the gateway. Requests to it have a timeout, retries and a circuit breaker.
//!
//! A request without a response is sent again if that has no further effect. If half of the requests of ten
//! seconds fail, the circuit breaker opens, and requests are refused with `upstream-unavailable` for some
//! seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, Request, Response, Uri, header};
use axum::response::Response as ClientResponse;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use souk_http::Problem;
use souk_http_client::{CONNECT_MAX, Error, HttpClient, client, with_causes};
use tokio::time::Instant;
use tower::ServiceExt as _;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::util::BoxCloneSyncService;
use tower_resilience_circuitbreaker::{
    CircuitBreakerError, CircuitBreakerLayer, CircuitState, SlidingWindowType,
};

use super::Head;
use super::headers;
use super::places::{ClientAddress, HeldPermits, NoPlace, Places, ShareUse};
use super::relayed::RelayedBody;
use crate::layers::FromUpstream;

/// Largest number of retries of a request.
const RETRIES_MAX: u32 = 2;
/// Wait before the first retry. The wait doubles for each further one.
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// Largest share of retries among all requests, so that retries do not overload a process in trouble.
const RETRY_SHARE: f32 = 0.2;
/// Number of retries per second that are allowed whatever the share.
const RETRIES_PER_SECOND: u32 = 5;
/// Time window over which retries are counted.
const RETRY_WINDOW: Duration = Duration::from_secs(10);
/// Time window of the circuit breaker.
const WINDOW: Duration = Duration::from_secs(10);
/// Smallest number of requests in the window for which the circuit breaker can open.
const CALLS_MIN: usize = 10;
/// Share of failed requests at which the circuit breaker opens.
const FAILED_SHARE: f64 = 0.5;
/// Number of test requests before the circuit breaker closes again. The library waits for that many responses
/// within the window. With more than one, a gateway with few requests would never get enough of them.
const PROBES: usize = 1;
/// Time that is added to the timeout of a route, so that the shop can report the timeout itself.
const GRACE: Duration = Duration::from_secs(5);

/// Maximum number of concurrent requests to an upstream. Each has a connection, which uses about 50 KiB
/// here.
const REQUESTS_MAX: usize = 256;
/// Budget for response bytes of an upstream that wait in this process for clients.
const UNREAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Number of shares of [`REQUESTS_MAX`] and [`UNREAD_BYTES_MAX`]. One client address can use one share of each.
const SHARES: usize = 4;

/// Limits of an upstream.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamLimits {
    /// Maximum number of concurrent requests.
    pub requests_max: usize,
    /// Budget for response bytes that wait for clients, in bytes.
    pub unread_bytes_max: usize,
    /// Number of shares of both. One client address can use one share.
    pub shares: usize,
    /// Longest time for a response, if its route allows more.
    pub response_time_max: Duration,
    /// Time for which an open circuit breaker sends no requests.
    pub open_for: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            requests_max: REQUESTS_MAX,
            unread_bytes_max: UNREAD_BYTES_MAX,
            shares: SHARES,
            response_time_max: Duration::from_secs(900),
            open_for: Duration::from_secs(5),
        }
    }
}

/// Error: an upstream can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUpstream {
    /// The address is not a URL of scheme, host and port.
    #[error(
        "the address of an upstream has a scheme, a host and a port, and no path, as in http://10.0.0.5:8080"
    )]
    Address,
    /// The system has no usable certificate authorities, so the upstream can't be verified.
    #[error("the system's certificates can't be used: {0}")]
    Tls(#[from] std::io::Error),
}

/// State of an upstream's circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// Requests are sent.
    Closed,
    /// A test request is sent, to find out if the upstream works again.
    HalfOpen,
    /// Requests are refused.
    Open,
}

/// A shop process behind the gateway.
pub struct Upstream {
    name: &'static str,
    scheme: Scheme,
    authority: Authority,
    limits: UpstreamLimits,
    client: HttpClient<Body>,
    calls: BoxCloneSyncService<BreakerCall, Response<Incoming>, CircuitBreakerError<CallError>>,
    state: Arc<AtomicU8>,
    places: Arc<Places>,
    retries: TpsBudget,
}

/// Call through the circuit breaker.
enum BreakerCall {
    /// Sends a request. The duration is its timeout.
    Send(Box<Request<Body>>, Duration),
    /// Only counts a failure: a response was incomplete that had been counted as a success.
    CountFailure,
}

/// Error: a call got no complete response.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("there was no response")]
    NoResponse(#[from] Error),
    #[error("there was no response in time")]
    Timeout,
    #[error("the response was incomplete")]
    Incomplete,
}

/// Request to an upstream, with all that is needed to send it again.
pub(super) struct Outgoing {
    pub(super) head: Head,
    /// Timeout of the route.
    pub(super) timeout: Duration,
    /// Complete body. A request takes a place only after its body has arrived.
    pub(super) body: Bytes,
    /// True if sending the request twice has no further effect.
    pub(super) may_retry: bool,
}

impl Upstream {
    /// Creates an upstream with an address such as `http://10.0.0.5:8080`. The name is for logs, metrics and
    /// problems.
    pub fn new(
        name: &'static str,
        address: &str,
        limits: UpstreamLimits,
    ) -> Result<Arc<Self>, InvalidUpstream> {
        let uri: Uri = address.parse().map_err(|_| InvalidUpstream::Address)?;
        let is_bare = uri.path() == "/" && uri.query().is_none();
        let (Some(scheme), Some(authority)) = (uri.scheme().cloned(), uri.authority().cloned()) else {
            return Err(InvalidUpstream::Address);
        };
        if !is_bare || authority.as_str().contains('@') || !["http", "https"].contains(&scheme.as_str()) {
            return Err(InvalidUpstream::Address);
        }
        let client = client(scheme == Scheme::HTTPS)?;
        let state = Arc::new(AtomicU8::new(CircuitState::Closed as u8));
        let calls = calls(name, client.clone(), limits.open_for, Arc::clone(&state));
        Ok(Arc::new(Self {
            name,
            scheme,
            authority,
            limits,
            client,
            calls,
            state,
            places: Places::new(limits),
            retries: TpsBudget::new(RETRY_WINDOW, RETRIES_PER_SECOND, RETRY_SHARE),
        }))
    }

    /// Returns the name for logs, metrics and problems.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the state of the circuit breaker.
    pub fn state(&self) -> UpstreamState {
        match self.state.load(Ordering::Relaxed) {
            state if state == CircuitState::Open as u8 => UpstreamState::Open,
            state if state == CircuitState::HalfOpen as u8 => UpstreamState::HalfOpen,
            _ => UpstreamState::Closed,
        }
    }

    /// Returns the number of response bytes that wait for clients now.
    pub fn unread_bytes(&self) -> usize {
        self.places.unread_bytes()
    }

    /// Sends a request and relays the response. Retries a request without a response if that has no further
    /// effect.
    pub(super) async fn send(
        self: &Arc<Self>,
        outgoing: &Outgoing,
        client: ClientAddress,
    ) -> Result<ClientResponse, Problem> {
        let share = self.places.use_share(client);
        let place = share.place().await.map_err(|reason| self.full_problem(reason))?;
        let route_time_max = outgoing.timeout + GRACE;
        let end = Instant::now() + route_time_max.min(self.limits.response_time_max);
        self.retries.deposit();
        let mut retries = 0;
        loop {
            let request = self.request(&outgoing.head, Body::from(outgoing.body.clone()))?;
            let left = end.saturating_duration_since(Instant::now());
            let call = BreakerCall::Send(Box::new(request), left);
            match self.calls.clone().oneshot(call).await {
                Ok(response) => return Ok(self.relay(response, end, share, place)),
                Err(CircuitBreakerError::OpenCircuit) => return Err(self.open_circuit_problem()),
                Err(CircuitBreakerError::Inner(error)) => {
                    let may_retry = outgoing.may_retry && matches!(error, CallError::NoResponse(_));
                    if !may_retry || retries == RETRIES_MAX || !self.retries.withdraw() {
                        return Err(self.call_problem(&error));
                    }
                }
            }
            tokio::time::sleep(RETRY_WAIT * 2_u32.pow(retries)).await;
            retries += 1;
        }
    }

    /// Fetches a document of at most `bytes_max` bytes from the upstream, within the connect timeout.
    pub(super) async fn fetch(&self, path: &'static str, bytes_max: usize) -> Result<Bytes, String> {
        let request = Request::get(self.uri(path)?).body(Body::empty()).map_err(|error| error.to_string())?;
        let fetched = async {
            let response = self.client.request(request).await.map_err(|error| with_causes(&error))?;
            if !response.status().is_success() {
                return Err(format!("the upstream responded with {}", response.status()));
            }
            let body = Limited::new(response.into_body(), bytes_max).collect().await;
            Ok(body.map_err(|error| error.to_string())?.to_bytes())
        };
        let in_time = tokio::time::timeout(CONNECT_MAX, fetched).await;
        in_time.unwrap_or_else(|_| Err("the upstream did not respond in time".to_owned()))
    }

    fn full_problem(&self, reason: NoPlace) -> Problem {
        let (of, problem) = match reason {
            NoPlace::AddressFull => {
                let detail = format!(
                    "the upstream `{}` accepts at most {} requests at once from one client address",
                    self.name,
                    self.places.requests_of_address()
                );
                ("address", Problem::new("rate-limited", detail).retry_after(1))
            }
            NoPlace::UpstreamFull => ("all", self.unavailable("has its largest number of requests", 1)),
        };
        metrics::counter!("souk_upstream_full_total", "upstream" => self.name, "of" => of).increment(1);
        problem
    }

    fn uri(&self, path_and_query: &str) -> Result<Uri, String> {
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        uri.path_and_query(path_and_query).build().map_err(|error| error.to_string())
    }

    fn request(&self, head: &Head, body: Body) -> Result<Request<Body>, Problem> {
        // The path is forwarded exactly as sent, because the access check used the same text.
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
        response: Response<Incoming>,
        end: Instant,
        share: ShareUse,
        place: HeldPermits,
    ) -> ClientResponse {
        let (mut parts, body) = response.into_parts();
        let is_problem = is_problem(&parts.headers);
        if parts.status.is_server_error() && !is_problem {
            // A shop sends every error as a problem, so another program responded.
            return self.foreign_response(&format!("responded with {}", parts.status.as_u16()));
        }
        parts.headers = headers::for_client(&parts.headers);
        if !(parts.status.is_client_error() || parts.status.is_server_error()) || is_problem {
            parts.extensions.insert(FromUpstream);
        }
        let upstream = Arc::clone(self);
        let on_failure = move || upstream.count_incomplete_response();
        ClientResponse::from_parts(parts, Body::new(RelayedBody::new(body, end, on_failure, share, place)))
    }

    /// Counts the failure of a response that had been counted as a success.
    fn count_incomplete_response(&self) {
        tracing::warn!(upstream = self.name, "a response was incomplete");
        metrics::counter!("souk_upstream_failures_total", "upstream" => self.name).increment(1);
        let calls = self.calls.clone();
        tokio::spawn(async move {
            // The calls only add failures to the counts: one balances the earlier success, the other is the
            // failure.
            for _ in 0..2 {
                let _ = calls.clone().oneshot(BreakerCall::CountFailure).await;
            }
        });
    }

    fn call_problem(&self, error: &CallError) -> Problem {
        let reason = match error {
            CallError::NoResponse(error) => with_causes(error),
            error => error.to_string(),
        };
        tracing::warn!(upstream = self.name, reason, "a request got no response");
        metrics::counter!("souk_upstream_failures_total", "upstream" => self.name).increment(1);
        match error {
            CallError::Timeout => self.unavailable(
                "did not respond in time; a write may have been done, so repeat it with the same key",
                1,
            ),
            _ => self.unavailable("does not respond", 1),
        }
    }

    fn open_circuit_problem(&self) -> Problem {
        metrics::counter!("souk_upstream_refused_total", "upstream" => self.name).increment(1);
        let seconds = u32::try_from(self.limits.open_for.as_secs()).unwrap_or(u32::MAX).max(1);
        self.unavailable("failed too often, so it gets no requests for some seconds", seconds)
    }

    fn unavailable(&self, what: &str, seconds: u32) -> Problem {
        let detail = format!("the upstream `{}` {what}", self.name);
        Problem::new("upstream-unavailable", detail).retry_after(seconds)
    }

    fn foreign_response(&self, what: &str) -> ClientResponse {
        use axum::response::IntoResponse as _;
        tracing::warn!(upstream = self.name, what, "a response did not come from a shop");
        self.unavailable(what, 1).into_response()
    }
}

/// Returns true if a response is a problem document, which explains the error itself.
fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json")
}

/// Builds the service that sends requests through the circuit breaker.
fn calls(
    name: &'static str,
    client: HttpClient<Body>,
    open_for: Duration,
    state: Arc<AtomicU8>,
) -> BoxCloneSyncService<BreakerCall, Response<Incoming>, CircuitBreakerError<CallError>> {
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
            tracing::warn!(
                upstream = name,
                ?from,
                ?to,
                "the circuit breaker of an upstream changed its state"
            );
        })
        .build()
        .expect("the settings are constants, which tests use too");
    let send = move |call: BreakerCall| {
        let client = client.clone();
        async move {
            match call {
                BreakerCall::CountFailure => Err(CallError::Incomplete),
                BreakerCall::Send(request, time_max) => {
                    match tokio::time::timeout(time_max, client.request(*request)).await {
                        Ok(response) => Ok(response?),
                        Err(_) => Err(CallError::Timeout),
                    }
                }
            }
        }
    };
    let service = tower::ServiceBuilder::new().layer(breaker).service(tower::service_fn(send));
    BoxCloneSyncService::new(service)
}

/// Returns true if the outcome counts as a failure of the upstream. A 503 with a problem document does not
/// count, because the shop itself works.
fn is_failure(outcome: &Result<Response<Incoming>, CallError>) -> bool {
    match outcome {
        Ok(response) => match response.status().as_u16() {
            500 | 502 | 504 => true,
            503 => !is_problem(response.headers()),
            _ => false,
        },
        Err(CallError::NoResponse(_) | CallError::Timeout | CallError::Incomplete) => true,
    }
}
