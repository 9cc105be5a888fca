//! The layers in front of every router: correlation, version, identity, policy, limits, problems, bodies.

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
use souk_http::{Caller, Denials, Problem};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::client::{Client, TrustedProxies};
use crate::limits::Limits;
use crate::room::{Gathering, Room};
use crate::server::framing::Ambiguous;
use crate::table::{self, BODY_BYTES_MAX, Class, Route, Side};
use crate::unread::Watch;

/// What of a larger body is read and dropped, in bytes, so that its sender gets to read the answer.
pub(crate) const DROPPED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a body may pause.
pub(crate) const BODY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How fast a body comes at least, in bytes a second, once [`BODY_GRACE`] is over.
const BODY_RATE_MIN: usize = 1_024;
/// How long a body may take before it is asked how fast it comes.
const BODY_GRACE: Duration = Duration::from_secs(20);
/// Answers of 404 to those who see their own alone come at multiples of this: longer than looking takes.
const ABSENCE_TURN: Duration = Duration::from_millis(5);
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The header of a request's correlation id.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Headers that say one thing: which of two values is meant is nobody's guess.
const SAID_ONCE: [&str; 8] = [
    "X-Correlation-Id",
    "X-API-Version",
    "Authorization",
    "X-Cart-Token",
    "Idempotency-Key",
    "X-Min-Position",
    "Content-Type",
    "X-Razorpay-Signature",
];
/// The header of the API's version.
const API_VERSION: &str = "x-api-version";

/// What the layers need.
#[derive(Clone)]
pub struct Edge {
    /// Tells whose a token is.
    pub tokens: Arc<dyn Tokens>,
    /// Sessions that have ended.
    pub denials: Arc<Denials>,
    /// Time and new ids.
    pub clock: Arc<dyn Clock>,
    /// How often somebody may ask.
    pub limits: Arc<Limits>,
    /// Whose word about others is taken.
    pub proxies: Arc<TrustedProxies>,
    /// What becomes of bodies.
    pub bodies: Bodies,
    /// Room for requests, bodies and answers.
    pub room: Arc<Room>,
}

/// What becomes of the bodies of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// They are read whole, and answers are there in time.
    Whole,
    /// They stream on to another process, which is given its own time.
    PassedOn,
}

/// Marks an answer that another process made: it is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed;

/// Puts the edge in front of a router.
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

/// Gives the request its correlation id, and every answer that is no success the shape of a problem.
async fn correlate(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    if head_bytes(&request) > HEAD_BYTES_MAX {
        return StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response();
    }
    let given = request
        .headers()
        .get(&CORRELATION_ID)
        .map(|value| value.to_str().ok().and_then(CorrelationId::parse));
    let instance = request.uri().path().to_owned();
    let correlation_id = match &given {
        Some(Some(id)) => id.clone(),
        _ => CorrelationId::from(edge.clock.new_id()),
    };
    request.extensions_mut().insert(correlation_id.clone());
    let span = tracing::info_span!("request", method = %request.method(), path = %instance, %correlation_id);
    let (request, body) = Watch::begin(request);
    let mut response = if let Some(ambiguous) = request.extensions().get::<Ambiguous>().copied() {
        ambiguous.problem().into_response()
    } else if let Some(name) = said_twice(request.headers()) {
        Problem::parameter(name, "it is allowed once").into_response()
    } else if matches!(given, Some(None)) {
        Problem::parameter("X-Correlation-Id", "1 to 128 visible ASCII characters are allowed")
            .into_response()
    } else if let Some(problem) = request.uri().query().and_then(wrong_query) {
        problem.into_response()
    } else {
        next.run(request).instrument(span).await
    };
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    if is_refusal && response.extensions().get::<Passed>().is_none() {
        response = as_problem(&response, &instance, &correlation_id);
    }
    body.end(&mut response);
    if let Ok(value) = HeaderValue::from_str(correlation_id.as_str()) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
}

fn said_twice(headers: &HeaderMap) -> Option<&'static str> {
    // Most requests have no header twice: then there are as many values as names.
    if headers.len() == headers.keys_len() {
        return None;
    }
    SAID_ONCE.into_iter().find(|name| headers.get_all(*name).iter().nth(1).is_some())
}

/// Refuses a query of which a name or a value is no UTF-8 or holds a control character. Nobody means such a text, and
/// what comes behind might take it for another.
fn wrong_query(query: &str) -> Option<Problem> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from);
    for pair in query.split('&').filter(|pair| pair.contains('%')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Ok(name), Ok(value)) = (decoded(name), decoded(value)) else {
            return Some(Problem::parameter(name, "its text is not in UTF-8"));
        };
        if name.contains(char::is_control) || value.contains(char::is_control) {
            return Some(Problem::parameter(&name, "control characters are not allowed"));
        }
    }
    None
}

/// Bytes of the request line and the headers, as they were sent.
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

/// For answers that a library made.
fn by_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new("not-found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new("method-not-allowed", "the resource does not have this method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => too_large(BODY_BYTES_MAX),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new("unsupported-media-type", "JSON is wanted"),
        status if status.is_client_error() => {
            Problem::new("invalid-parameter", "the request could not be read")
        }
        status => Problem::internal(&status),
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    // Its words may hold what somebody typed; the hook of panics has said where it was.
    drop(panic);
    Problem::internal(&"a panic").into_response()
}

/// Refuses a body in an encoding, as gzip: nothing here takes it out, and the reader would take it for broken text.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Ok(());
    }
    let detail = "bodies are taken as they are: send it without `Content-Encoding`";
    Err(Problem::new("unsupported-media-type", detail))
}

fn no_body() -> Problem {
    Problem::new("body-not-allowed", "the route takes no body; send none")
}

pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::new("body-too-large", format!("a body has at most {bytes_max} bytes here"))
}

/// How long a body may have taken of which so many bytes are here.
pub(crate) fn time_for(bytes: usize) -> Duration {
    BODY_GRACE + Duration::from_secs((bytes / BODY_RATE_MIN) as u64)
}

pub(crate) fn too_slow() -> Problem {
    let detail = format!(
        "the body came too slowly: it may pause for {} seconds, and comes at {BODY_RATE_MIN} bytes a second or faster",
        BODY_PAUSE_MAX.as_secs()
    );
    Problem::new("request-timeout", detail)
}

/// Checks version, identity and policy, counts the request, then reads the body and hands it on.
async fn admit(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = path.and_then(|path| table::find(request.method().as_str(), path.as_str()));
    let client = client(&edge, &request);
    // Before anything that costs: reading a token compares signatures.
    let address = client.nearest_address();
    let place = match edge.room.place(address, head_bytes(&request)) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    // A refusal counts as what was asked for would: guessing at tokens is held back like any other.
    let (caller, refusal) = match entry(&edge, &request, route) {
        Ok(caller) => (client.of(caller), None),
        Err(problem) => (client.of(Caller::default()), Some(refused(&request, &problem))),
    };
    let class = route.map_or(Class::Read, |route| route.class);
    let told = match edge.limits.check(class, &caller).await {
        Ok(told) => told,
        Err((problem, told)) => {
            let mut response = problem.into_response();
            told.write(response.headers_mut());
            return response;
        }
    };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(Arc::clone(&edge.room));
    let may_refuse = may_refuse(route, request.method());
    let response = match (refusal, edge.bodies) {
        (Some(refusal), _) => refusal,
        (None, Bodies::Whole) => answered_whole(route, request, next, edge.room.body(address)).await,
        (None, Bodies::PassedOn) => next.run(request).await,
    };
    let mut response = edge.room.answer(address, may_refuse, place, response);
    if let Some(told) = told {
        told.write(response.headers_mut());
    }
    response
}

/// Returns true if an answer may be refused for want of room: asked again, the request does the same. A sign-in is done
/// once, whatever its method, and a lookup of an order is a read, though it is sent by POST.
fn may_refuse(route: Option<&Route>, method: &Method) -> bool {
    match route {
        Some(route) => route.side == Side::Query || (method.is_safe() && route.class != Class::Auth),
        None => method.is_safe(),
    }
}

async fn answered_whole(
    route: Option<&Route>,
    request: Request,
    next: Next,
    mut gathering: Gathering,
) -> Response {
    if route.is_some()
        && let Err(problem) = check_encoding(request.headers())
    {
        return problem.into_response();
    }
    let (parts, body) = request.into_parts();
    // Where nothing is, no body is read.
    let (body, bytes_max) = route.map_or((Body::empty(), 0), |route| (body, route.body_bytes_max));
    match read(body, bytes_max, &mut gathering).await {
        Ok(body) => {
            let asked = Instant::now();
            let response = answered(route, next.run(Request::from_parts(parts, Body::from(body)))).await;
            if response.status() == StatusCode::NOT_FOUND && route.is_some_and(Route::hides) {
                tokio::time::sleep_until(next_turn(asked, Instant::now())).await;
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// When somebody is told that something is not there, who might only not be told of it: at the next of some
/// turns since they asked. How long it took to find that out says which of the two it is.
fn next_turn(asked: Instant, now: Instant) -> Instant {
    let turns = now.duration_since(asked).as_nanos().div_ceil(ABSENCE_TURN.as_nanos()).max(1);
    asked + ABSENCE_TURN * u32::try_from(turns).unwrap_or(u32::MAX)
}

/// Who asks for what has this row; none where there is nothing.
fn entry(edge: &Edge, request: &Request, route: Option<&Route>) -> Result<Caller, Problem> {
    let headers = request.headers();
    check_version(request.uri().path(), headers)?;
    let mut caller = identity::identify(headers, &*edge.tokens, &edge.denials, edge.clock.now())?;
    edge.tokens.read_cart(headers, &mut caller)?;
    let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(caller) };
    let Some(route) = route else { return Err(without_row(path.as_str())) };
    // What this process says of itself, no other will judge the token of.
    if route.side == Side::Operations && caller.unread.token {
        return Err(Problem::new("unauthenticated", "the token's key is not known"));
    }
    route.access.check(&caller)?;
    if route.body_bytes_max == 0 && request.body().size_hint().lower() > 0 {
        return Err(no_body());
    }
    Ok(caller)
}

/// The client, as far as it is known.
fn client(edge: &Edge, request: &Request) -> Client {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| edge.proxies.client(peer.ip(), request.headers())).unwrap_or_default()
}

/// What is refused before it was looked at; a method that isn't there with those that are.
fn refused(request: &Request, problem: &Problem) -> Response {
    let mut response = problem.clone().into_response();
    if problem.code() == "method-not-allowed"
        && let Some(path) = request.extensions().get::<MatchedPath>()
        && let Ok(allowed) = HeaderValue::try_from(table::methods(path.as_str()).join(","))
    {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// A path has no such method, or the table has no such path: then nobody gets in.
fn without_row(path: &str) -> Problem {
    if table::methods(path).is_empty() {
        return Problem::internal(&format!("the route {path} has no row"));
    }
    Problem::new("method-not-allowed", "the resource does not have this method")
}

/// The answer, unless it takes longer than the route may.
async fn answered(route: Option<&Route>, answer: impl Future<Output = Response>) -> Response {
    let Some(route) = route else { return answer.await };
    if let Ok(response) = tokio::time::timeout(Duration::from_secs(route.timeout_s), answer).await {
        return response;
    }
    let detail = format!(
        "there was no answer within {} seconds; a write may have been done: repeat it under its key",
        route.timeout_s
    );
    tracing::warn!(route = route.path, seconds = route.timeout_s, "an answer took too long");
    Problem::new("upstream-unavailable", detail).retry_after(1).into_response()
}

/// Reads a body whole, in the room for it, and none at all where none belongs. One that is too large is read on and
/// dropped, up to a limit: a sender that still writes doesn't look for the answer. One whose length is said and too
/// large is refused at once.
pub(crate) async fn read(
    mut body: Body,
    bytes_max: usize,
    gathering: &mut Gathering,
) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > bytes_max as u64 {
        tokio::spawn(drop_body(body));
        return Err(if bytes_max == 0 { no_body() } else { too_large(bytes_max) });
    }
    let mut length = 0;
    let began = Instant::now();
    loop {
        let frame = match tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) => return Err(too_slow()),
        };
        let frame = frame.map_err(|_| Problem::new("malformed-body", "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if bytes_max == 0 && length > 0 {
            return Err(no_body());
        }
        if length > DROPPED_BYTES_MAX {
            break;
        }
        if began.elapsed() > time_for(length) {
            return Err(too_slow());
        }
        if length <= bytes_max {
            gathering.add(&data)?;
        } else {
            gathering.clear();
        }
    }
    if length > bytes_max { Err(too_large(bytes_max)) } else { Ok(gathering.take()) }
}

/// Reads a body that was refused, up to a limit, and drops it.
async fn drop_body(mut body: Body) {
    let began = Instant::now();
    let mut length = 0;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > DROPPED_BYTES_MAX || began.elapsed() > time_for(length) {
            return;
        }
    }
}

fn check_version(path: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let needs_none =
        !path.starts_with("/api/") || path.starts_with("/api/auth/") || path == "/api/payments/webhook";
    match headers.get(API_VERSION).map(HeaderValue::as_bytes) {
        Some(b"v1") => Ok(()),
        _ if needs_none => Ok(()),
        None => Err(Problem::new("api-version-missing", "send the header `X-API-Version: v1`")),
        Some(_) => Err(Problem::new("api-version-unsupported", "this server speaks v1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_may_be_refused_for_want_of_room_and_what_is_done_once_may_not() {
        let refusable = |method: Method, path: &str| may_refuse(table::find(method.as_str(), path), &method);
        assert!(refusable(Method::GET, "/api/products"));
        assert!(refusable(Method::POST, "/api/orders/lookup"), "it is a read of up to half a megabyte");
        assert!(!refusable(Method::POST, "/api/orders"));
        assert!(!refusable(Method::GET, "/api/auth/oidc/{provider}/callback"), "its tokens come once");
    }
}
