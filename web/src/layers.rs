//! The layers around every router: correlation, version, identity, problems, body limits.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body_util::BodyExt;
use souk_eventsourcing::{Clock, CorrelationId};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::cart_token;
use crate::denials::Denials;
use crate::identity;
use crate::keys::Keys;
use crate::problem::Problem;

/// The largest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// What of a larger body is read and dropped, in bytes, so that its sender gets to read the answer.
const DROPPED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The header of a request's correlation id.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// The header of the API's version.
const API_VERSION: &str = "x-api-version";

/// What the layers need.
#[derive(Clone)]
pub struct Edge {
    /// Keys of tokens.
    pub keys: Arc<Keys>,
    /// Sessions that have ended.
    pub denials: Arc<Denials>,
    /// Time and new ids.
    pub clock: Arc<dyn Clock>,
}

/// Puts the common rules around a router.
pub fn common(router: Router, edge: Edge) -> Router {
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
    let mut response = if matches!(given, Some(None)) {
        Problem::parameter("X-Correlation-Id", "1 to 128 visible ASCII characters are allowed")
            .into_response()
    } else {
        next.run(request).instrument(span).await
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = as_problem(&response, &instance, &correlation_id);
    }
    if let Ok(value) = HeaderValue::from_str(correlation_id.as_str()) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
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
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new("unsupported-media-type", "JSON is wanted"),
        status if status.is_client_error() => {
            Problem::new("invalid-parameter", "the request could not be read")
        }
        status => Problem::internal(&status),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands panics over like this")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
    Problem::internal(&text).into_response()
}

fn too_large() -> Problem {
    Problem::new("body-too-large", format!("a body has at most {BODY_BYTES_MAX} bytes"))
}

/// Checks version and identity, then reads the body.
async fn admit(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    if let Err(problem) = check_version(request.uri().path(), request.headers()) {
        return problem.into_response();
    }
    match identity::identify(request.headers(), &edge.keys, &edge.denials, edge.clock.now()) {
        Ok(mut caller) => {
            match cart_token::from_headers(request.headers(), &edge.keys) {
                Ok(cart) => caller.cart = cart,
                Err(problem) => return problem.into_response(),
            }
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            caller.address = peer.map(|ConnectInfo(address)| address.ip());
            request.extensions_mut().insert(caller);
        }
        Err(problem) => return problem.into_response(),
    }
    let (parts, body) = request.into_parts();
    match read(body).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(problem) => problem.into_response(),
    }
}

/// Reads a body whole. One that is too large is read on and dropped, up to a limit, whether or not it
/// said its length: a sender that still writes doesn't look for the answer.
async fn read(mut body: Body) -> Result<Bytes, Problem> {
    let mut content = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new("malformed-body", "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > DROPPED_BYTES_MAX {
            break;
        }
        if length <= BODY_BYTES_MAX {
            content.extend_from_slice(&data);
        } else {
            content = BytesMut::new();
        }
    }
    if length > BODY_BYTES_MAX { Err(too_large()) } else { Ok(content.freeze()) }
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
