//! Gateway: the edge as a process of its own, which forwards requests to the shop processes behind it
//! (upstreams).
//!
//! A request passes the same layers as in a shop of one process. Then the side of its route selects the
//! upstream. The gateway reads the body of a request completely before it forwards it, so that slow clients
//! do not occupy the upstream. It streams the body of the response. Tokens that the gateway can't verify (a
//! cart token, or a token of a key that it does not know yet) are verified by the upstream. The upstream
//! trusts only this gateway to name the client address.

mod headers;
mod health;
mod keys;
mod places;
mod relayed;
mod upstream;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use souk_eventsourcing::CorrelationId;
use souk_http::identity::AddressSource;
use souk_http::routes::operations::{API_DOCUMENT, DOCS, LIVE, METRICS, PROBLEM, READY};
use souk_http::routes::{RateClass, Route, Side};
use souk_http::{Caller, Problem};

use crate::client::TrustedProxies;
use crate::layers::read;
use crate::memory::MemoryBudgets;
use crate::table::RouteTable;
pub use health::UpstreamHealth;
pub use keys::follow;
use upstream::Outgoing;
pub use upstream::{InvalidUpstream, Upstream, UpstreamLimits, UpstreamState};

/// Operations paths that the gateway handles itself.
const OWN_PATHS: [&str; 3] = [LIVE, READY, METRICS];
/// Operations paths that go to the query upstream.
const QUERY_PATHS: [&str; 3] = [API_DOCUMENT, DOCS, PROBLEM];

/// Upstreams of a gateway.
#[derive(Clone)]
pub struct Upstreams {
    /// Upstream for writes and sign-in.
    pub commands: Arc<Upstream>,
    /// Upstream for reads.
    pub queries: Arc<Upstream>,
    /// Proxies that are trusted to report the scheme of the client.
    pub proxies: Arc<TrustedProxies>,
}

impl Upstreams {
    fn for_route(&self, route: &Route) -> Option<&Arc<Upstream>> {
        match route.side {
            Side::Command => Some(&self.commands),
            Side::Query => Some(&self.queries),
            Side::Operations => QUERY_PATHS.contains(&route.path.as_str()).then_some(&self.queries),
        }
    }
}

/// State of the handler that forwards requests.
#[derive(Clone)]
struct Forwarding {
    upstreams: Upstreams,
    routes: Arc<RouteTable>,
}

/// Returns a router that forwards every route of the shop, except those about the process itself.
pub fn router(upstreams: &Upstreams, routes: &Arc<RouteTable>) -> Router {
    let is_forwarded =
        |route: &&Route| !OWN_PATHS.contains(&route.path.as_str()) && upstreams.for_route(route).is_some();
    let paths: BTreeSet<&str> = routes.iter().filter(is_forwarded).map(|route| route.path.as_str()).collect();
    let router = paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(handle)));
    router.with_state(Forwarding { upstreams: upstreams.clone(), routes: Arc::clone(routes) })
}

async fn handle(
    State(Forwarding { upstreams, routes }): State<Forwarding>,
    path: MatchedPath,
    caller: Caller,
    request: Request,
) -> Response {
    // The layers refuse requests whose route has no row, so the row is always found.
    let route = routes.find(request.method().as_str(), path.as_str());
    let target = route.and_then(|route| Some((route, upstreams.for_route(route)?)));
    let Some((route, upstream)) = target else {
        return Problem::internal(&"a request passed the layers although its route has no row")
            .into_response();
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let scheme = peer.map(|peer| upstreams.proxies.scheme(peer, request.headers()));
    match forward(upstream, route, &caller, scheme, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn forward(
    upstream: &Arc<Upstream>,
    route: &Route,
    caller: &Caller,
    scheme: Option<HeaderValue>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let correlation_id = parts.extensions.get::<CorrelationId>();
    let head = Head {
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: headers::for_upstream(
            &parts,
            forwarded_for(caller),
            correlation_id,
            scheme.unwrap_or(HeaderValue::from_static("http")),
        ),
    };
    // The buffer keeps its room until the upstream has responded, because the body may be sent again.
    let memory = parts.extensions.get::<Arc<MemoryBudgets>>().cloned().unwrap_or_default();
    let mut buffer = memory.body_buffer(caller.nearest_address());
    let body = read(body, route.body_bytes_max, &mut buffer).await?;
    let may_retry = may_retry(route, &head);
    let timeout = Duration::from_secs(route.timeout_s);
    upstream.send(&Outgoing { head, timeout, body, may_retry }, caller.nearest_address()).await
}

/// Returns the value of `X-Forwarded-For` for the upstream. A hidden client is sent as `unknown`: without the
/// header the upstream would take this process for the client.
fn forwarded_for(caller: &Caller) -> Option<HeaderValue> {
    if matches!(caller.address_source, AddressSource::HiddenByProxy(_)) {
        return Some(HeaderValue::from_static("unknown"));
    }
    caller.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok())
}

/// Head of a request to the upstream.
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// Returns true if a second attempt has no further effect: for a read, and for a write with an idempotency
/// key. A sign-in must not be sent twice, even with a GET.
fn may_retry(route: &Route, head: &Head) -> bool {
    let is_read = head.method.is_safe() && route.rate_class != RateClass::Auth;
    is_read || (route.takes_key && head.headers.contains_key(headers::IDEMPOTENCY_KEY))
}
