//! Layers in front of every router: correlation id, API version, caller, access, rate limit, body and
//! problems.
//!
//! `correlate` is the outermost layer. It gives the request a correlation id and renders problems. `admit` is
//! inside it. It checks the request against the route table and reads the body. A panic of a handler becomes
//! `internal`.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use percent_encoding::percent_decode_str;
use souk_eventsourcing::{Clock, CorrelationId};
use souk_http::identity::{self, Tokens};
use souk_http::routes::{BODY_BYTES_MAX, RateClass, Route, Side};
use souk_http::{Caller, EndedSessions, Problem};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::client::{Client, TrustedProxies};
use crate::limits::Limits;
use crate::memory::{BodyBuffer, MemoryBudgets};
use crate::server::framing::AmbiguousHead;
use crate::table::RouteTable;
use crate::watched_body::BodyWatch;

/// Largest number of bytes of a refused body that are read and dropped. Many clients read the response only
/// after they have sent the body.
pub(crate) const DROPPED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest pause between two pieces of a body.
pub(crate) const BODY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Lowest speed of a body after [`BODY_GRACE`], in bytes per second.
const BODY_RATE_MIN: usize = 1_024;
/// Time before the speed of a body is checked.
const BODY_GRACE: Duration = Duration::from_secs(20);
/// A 404 that may hide another person's resource is delayed to a multiple of this time, so that timing does
/// not reveal the resource. This time is longer than a lookup takes.
const NOT_FOUND_STEP: Duration = Duration::from_millis(5);
/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Header of the correlation id.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Headers that may occur only once, because two programs could read different values of a repeated header.
const SINGLE_HEADERS: [&str; 8] = [
    "X-Correlation-Id",
    "X-API-Version",
    "Authorization",
    "X-Cart-Token",
    "Idempotency-Key",
    "X-Min-Position",
    "Content-Type",
    "X-Razorpay-Signature",
];
/// Header of the API version.
const API_VERSION: &str = "x-api-version";

/// Dependencies of the layers.
#[derive(Clone)]
pub struct Edge {
    /// Rules of all routes.
    pub routes: Arc<RouteTable>,
    /// Keys that verify access tokens and cart tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Ended sessions, whose tokens are refused.
    pub ended_sessions: Arc<EndedSessions>,
    /// Source of time and of new ids.
    pub clock: Arc<dyn Clock>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Proxies that are trusted to name the client address.
    pub proxies: Arc<TrustedProxies>,
    /// Selects the code that reads request bodies.
    pub bodies: BodyHandling,
    /// Memory budgets for requests, bodies and responses.
    pub memory: Arc<MemoryBudgets>,
}

/// Selects the code that reads request bodies and enforces timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyHandling {
    /// The layers read each body completely and enforce the timeout of the route.
    ReadHere,
    /// The handler behind the layers forwards the request to an upstream. It reads the body and enforces the
    /// timeout.
    Forwarded,
}

/// Mark of a response from an upstream. Such a response is complete, so its problems are not rendered again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromUpstream;

/// Adds the layers to a router.
pub fn edge(router: Router, edge: Edge) -> Router {
    router
        .fallback(|| async { Problem::new("not-found", "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new("method-not-allowed", "the resource does not have this method")
        })
        .layer(middleware::from_fn_with_state(edge.clone(), admit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(edge, correlate))
}

/// Outermost layer: gives the request a correlation id, and renders every error response as a problem
/// document.
async fn correlate(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    if head_bytes(&request) > HEAD_BYTES_MAX {
        return StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response();
    }
    let sent_id = request
        .headers()
        .get(&CORRELATION_ID)
        .map(|value| value.to_str().ok().and_then(CorrelationId::parse));
    let instance = request.uri().path().to_owned();
    let correlation_id = match &sent_id {
        Some(Some(id)) => id.clone(),
        _ => CorrelationId::from(edge.clock.new_id()),
    };
    request.extensions_mut().insert(correlation_id.clone());
    let span = tracing::info_span!("request", method = %request.method(), path = %instance, %correlation_id);
    let (request, body) = BodyWatch::begin(request);
    let mut response = if let Some(ambiguous) = request.extensions().get::<AmbiguousHead>().copied() {
        ambiguous.problem().into_response()
    } else if let Some(name) = repeated_header(request.headers()) {
        Problem::parameter(name, "it is allowed only once").into_response()
    } else if matches!(sent_id, Some(None)) {
        Problem::parameter("X-Correlation-Id", "1 to 128 visible ASCII characters are allowed")
            .into_response()
    } else if let Some(problem) = request.uri().query().and_then(query_problem) {
        problem.into_response()
    } else {
        next.run(request).instrument(span).await
    };
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error && response.extensions().get::<FromUpstream>().is_none() {
        response = as_problem(&response, &instance, &correlation_id);
    }
    body.end(&mut response);
    if let Ok(value) = HeaderValue::from_str(correlation_id.as_str()) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
}

/// Returns the first header of [`SINGLE_HEADERS`] that occurs more than once.
fn repeated_header(headers: &HeaderMap) -> Option<&'static str> {
    // Most requests repeat no header. Then there are as many values as names.
    if headers.len() == headers.keys_len() {
        return None;
    }
    SINGLE_HEADERS.into_iter().find(|name| headers.get_all(*name).iter().nth(1).is_some())
}

/// Returns a problem if a name or value of the query is not UTF-8 or contains a control character. No valid
/// request contains such text, and programs could read it differently.
fn query_problem(query: &str) -> Option<Problem> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from);
    for pair in query.split('&').filter(|pair| pair.contains('%')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Ok(name), Ok(value)) = (decoded(name), decoded(value)) else {
            return Some(Problem::parameter(name, "the text is not UTF-8"));
        };
        if name.contains(char::is_control) || value.contains(char::is_control) {
            return Some(Problem::parameter(&name, "control characters are not allowed"));
        }
    }
    None
}

/// Returns the size of the request line and the headers as sent, in bytes.
fn head_bytes(request: &Request) -> usize {
    let of_header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let path = request.uri().path_and_query().map_or(1, |path| path.as_str().len());
    let line = request.method().as_str().len() + path + 12;
    line + request.headers().iter().map(of_header).sum::<usize>()
}

fn as_problem(response: &Response, instance: &str, correlation_id: &CorrelationId) -> Response {
    let problem =
        response.extensions().get::<Problem>().cloned().unwrap_or_else(|| by_status(response.status()));
    let mut rendered = problem.render(instance, correlation_id.as_str());
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    rendered
}

/// Returns the problem of an error response that a library made.
fn by_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new("not-found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new("method-not-allowed", "the resource does not have this method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => too_large(BODY_BYTES_MAX),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new("unsupported-media-type", "send `Content-Type: application/json`")
        }
        status if status.is_client_error() => {
            Problem::new("invalid-parameter", "the request could not be read")
        }
        status => Problem::internal(&status),
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    // The message may contain personal data, so it is not logged. The panic hook has logged the place in the
    // code.
    drop(panic);
    Problem::internal(&"a panic").into_response()
}

/// Refuses a body with a content encoding such as gzip, because the shop does not decompress bodies.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Ok(());
    }
    let detail = "compressed bodies are not supported; send the body without `Content-Encoding`";
    Err(Problem::new("unsupported-media-type", detail))
}

fn no_body() -> Problem {
    Problem::new("body-not-allowed", "this route takes no body; send none")
}

pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::new("body-too-large", format!("this route accepts at most {bytes_max} bytes"))
}

/// Returns the longest time that the first `bytes` bytes of a body may take.
pub(crate) fn body_time_max(bytes: usize) -> Duration {
    BODY_GRACE + Duration::from_secs((bytes / BODY_RATE_MIN) as u64)
}

pub(crate) fn too_slow() -> Problem {
    let detail = format!(
        "the body was too slow: it may pause for at most {} seconds, and must have at least {BODY_RATE_MIN} \
         bytes per second",
        BODY_PAUSE_MAX.as_secs()
    );
    Problem::new("request-timeout", detail)
}

/// Inner layer: checks version, caller and access, counts the request, reads the body and calls the handler.
async fn admit(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = path.and_then(|path| edge.routes.find(request.method().as_str(), path.as_str()));
    let client = client(&edge, &request);
    // The place is taken first, because verifying a token costs time.
    let address = client.nearest_address();
    let place = match edge.memory.place(address, head_bytes(&request)) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    // Refused requests count against the limit too, so that guessing tokens is limited.
    let (caller, refusal) = match check_access(&edge, &request, route) {
        Ok(caller) => (client.locate(caller), None),
        Err(problem) => (client.locate(Caller::default()), Some(refused(&edge.routes, &request, &problem))),
    };
    let class = route.map_or(RateClass::Read, |route| route.rate_class);
    let limit_state = match edge.limits.check(class, &caller).await {
        Ok(limit_state) => limit_state,
        Err((problem, limit_state)) => {
            let mut response = problem.into_response();
            limit_state.write(response.headers_mut());
            return response;
        }
    };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(Arc::clone(&edge.memory));
    let may_refuse = is_repeatable(route, request.method());
    let response = match (refusal, edge.bodies) {
        (Some(refusal), _) => refusal,
        (None, BodyHandling::ReadHere) => {
            respond(route, request, next, edge.memory.body_buffer(address)).await
        }
        (None, BodyHandling::Forwarded) => next.run(request).await,
    };
    let mut response = edge.memory.hold_response(address, may_refuse, place, response);
    if let Some(limit_state) = limit_state {
        limit_state.write(response.headers_mut());
    }
    response
}

/// Returns true if the client can repeat the request. If there is no room for the response of such a request,
/// a problem is sent instead. A sign-in can't be repeated, even with a GET. The lookup of an order is a read,
/// even with a POST.
fn is_repeatable(route: Option<&Route>, method: &Method) -> bool {
    match route {
        Some(route) => route.side == Side::Query || (method.is_safe() && route.rate_class != RateClass::Auth),
        None => method.is_safe(),
    }
}

/// Reads the body and calls the handler.
async fn respond(route: Option<&Route>, request: Request, next: Next, mut buffer: BodyBuffer) -> Response {
    if route.is_some()
        && let Err(problem) = check_encoding(request.headers())
    {
        return problem.into_response();
    }
    let (parts, body) = request.into_parts();
    // Without a route, no body is read.
    let (body, bytes_max) = route.map_or((Body::empty(), 0), |route| (body, route.body_bytes_max));
    match read(body, bytes_max, &mut buffer).await {
        Ok(body) => {
            let started = Instant::now();
            let request = Request::from_parts(parts, Body::from(body));
            let response = with_timeout(route, next.run(request)).await;
            if response.status() == StatusCode::NOT_FOUND
                && route.is_some_and(|route| route.hides_other_owners)
            {
                tokio::time::sleep_until(not_found_at(started, Instant::now())).await;
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// Returns the time at which to send a 404 that may hide another person's resource. The time since `started`
/// is rounded up to a multiple of [`NOT_FOUND_STEP`], so that timing does not reveal the resource.
fn not_found_at(started: Instant, now: Instant) -> Instant {
    let steps = now.duration_since(started).as_nanos().div_ceil(NOT_FOUND_STEP.as_nanos()).max(1);
    started + NOT_FOUND_STEP * u32::try_from(steps).unwrap_or(u32::MAX)
}

/// Identifies the caller and checks the access rule of the route. `route` is `None` if the path does not
/// exist or does not support the method.
fn check_access(edge: &Edge, request: &Request, route: Option<&Route>) -> Result<Caller, Problem> {
    let headers = request.headers();
    let path = request.extensions().get::<MatchedPath>();
    let needs_version = edge.routes.needs_version(path.map(MatchedPath::as_str), request.uri().path());
    check_version(needs_version, headers)?;
    let mut caller = identity::identify(headers, &*edge.tokens, &edge.ended_sessions, edge.clock.now())?;
    edge.tokens.read_cart(headers, &mut caller)?;
    let Some(path) = path else { return Ok(caller) };
    let Some(route) = route else { return Err(without_row(&edge.routes, path.as_str())) };
    // This process handles the route itself, so no upstream will verify the token.
    if route.side == Side::Operations && caller.unverified.token {
        return Err(Problem::new("unauthenticated", "the token's key is not known"));
    }
    route.access.check(&caller)?;
    if route.body_bytes_max == 0 && request.body().size_hint().lower() > 0 {
        return Err(no_body());
    }
    Ok(caller)
}

/// Returns the client of a request; the default if the address of the connection is unknown.
fn client(edge: &Edge, request: &Request) -> Client {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| edge.proxies.client(peer.ip(), request.headers())).unwrap_or_default()
}

/// Returns the response to a request that failed a check. For a wrong method, the response lists the allowed
/// methods.
fn refused(routes: &RouteTable, request: &Request, problem: &Problem) -> Response {
    let mut response = problem.clone().into_response();
    if problem.code() == "method-not-allowed"
        && let Some(path) = request.extensions().get::<MatchedPath>()
        && let Ok(allowed) = HeaderValue::try_from(routes.methods(path.as_str()).join(","))
    {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Returns the problem of a route without a row: `method-not-allowed` if the path has other methods,
/// otherwise `internal`, because the table lacks the path.
fn without_row(routes: &RouteTable, path: &str) -> Problem {
    if routes.methods(path).is_empty() {
        return Problem::internal(&format!("the route {path} has no row"));
    }
    Problem::new("method-not-allowed", "the resource does not have this method")
}

/// Waits for a response, up to the timeout of the route.
async fn with_timeout(route: Option<&Route>, response: impl Future<Output = Response>) -> Response {
    let Some(route) = route else { return response.await };
    if let Ok(response) = tokio::time::timeout(Duration::from_secs(route.timeout_s), response).await {
        return response;
    }
    let detail = format!(
        "there was no response within {} seconds; a write may have been done, so repeat it with the same key",
        route.timeout_s
    );
    tracing::warn!(route = route.path.as_str(), seconds = route.timeout_s, "a response took too long");
    Problem::new("upstream-unavailable", detail).retry_after(1).into_response()
}

/// Reads a body completely into a buffer. If `bytes_max` is 0, every body that is not empty is refused.
///
/// A body whose `Content-Length` is too large is refused at once, and a task reads and drops it. A body
/// without `Content-Length` that turns out to be too large is first read and dropped, and then refused. At
/// most [`DROPPED_BYTES_MAX`] bytes are dropped. Many clients read the response only after they have sent the
/// body.
pub(crate) async fn read(
    mut body: Body,
    bytes_max: usize,
    buffer: &mut BodyBuffer,
) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > bytes_max as u64 {
        tokio::spawn(drop_body(body));
        return Err(if bytes_max == 0 { no_body() } else { too_large(bytes_max) });
    }
    let mut length = 0;
    let started = Instant::now();
    loop {
        let frame = match tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) => return Err(too_slow()),
        };
        let frame = frame.map_err(|_| Problem::new("malformed-body", "the body is incomplete"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if bytes_max == 0 && length > 0 {
            return Err(no_body());
        }
        if length > DROPPED_BYTES_MAX {
            break;
        }
        if started.elapsed() > body_time_max(length) {
            return Err(too_slow());
        }
        if length <= bytes_max {
            buffer.add(&data)?;
        } else {
            buffer.clear();
        }
    }
    if length > bytes_max { Err(too_large(bytes_max)) } else { Ok(buffer.take()) }
}

/// Reads and drops a refused body, up to [`DROPPED_BYTES_MAX`].
async fn drop_body(mut body: Body) {
    let started = Instant::now();
    let mut length = 0;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > DROPPED_BYTES_MAX || started.elapsed() > body_time_max(length) {
            return;
        }
    }
}

fn check_version(is_needed: bool, headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(API_VERSION).map(HeaderValue::as_bytes) {
        Some(b"v1") => Ok(()),
        _ if !is_needed => Ok(()),
        None => Err(Problem::new("api-version-missing", "send the header `X-API-Version: v1`")),
        Some(_) => Err(Problem::new("api-version-unsupported", "this server supports v1")),
    }
}

#[cfg(test)]
mod tests {
    use souk_http::routes::{Access, RouteRules, rules};

    use super::*;

    #[test]
    fn only_repeatable_requests_may_get_a_problem_when_there_is_no_room() {
        let secret = rules(Access::Anyone).counts_as(RateClass::Auth);
        let repeatable = |method: Method, side: Side, rules: RouteRules| {
            let method_name = if method == Method::GET { "GET" } else { "POST" };
            is_repeatable(Some(&Route::new(method_name, "/", side, rules)), &method)
        };
        assert!(repeatable(Method::GET, Side::Query, rules(Access::Anyone)));
        assert!(repeatable(Method::POST, Side::Query, secret), "a lookup is a read, even with a POST");
        assert!(!repeatable(Method::POST, Side::Command, rules(Access::Buyer)));
        assert!(!repeatable(Method::GET, Side::Command, secret), "the tokens are sent only once");
    }
}
