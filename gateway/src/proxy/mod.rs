//! The edge as a process of its own: requests that may pass go on to the process that answers them.
//!
//! A request goes through the same layers as in the one-process shop; then its route's side says which
//! upstream it goes to. The body of a request is gathered here, so that a slow sender keeps nobody else from the
//! upstream; the body of an answer streams. What can't be judged here (a cart's token, a token of a key
//! that was published a moment ago) is judged by the upstream, which trusts this proxy's word about clients
//! alone.

mod headers;
mod keys;
mod places;
mod reach;
mod relayed;
mod upstream;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use souk_eventsourcing::CorrelationId;
use souk_http::identity::AddressSource;
use souk_http::{Caller, Problem};

use crate::client::TrustedProxies;
use crate::layers::read;
use crate::room::Room;
use crate::table::{self, Class, ROUTES, Route, Side};
pub use keys::follow;
pub use reach::Reach;
use upstream::Outgoing;
pub use upstream::{NotAnUpstream, Patience, State as UpstreamState, Upstream};

/// Paths that operations ask of this process itself.
const OWN: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];
/// Paths that whoever answers reads can tell about best.
const OF_QUERIES: [&str; 3] = ["/openapi.json", "/docs", "/problems/{code}"];

/// Where requests go on to.
#[derive(Clone)]
pub struct Upstreams {
    /// Who answers writes, and signs in.
    pub commands: Arc<Upstream>,
    /// Who answers reads.
    pub queries: Arc<Upstream>,
    /// Whose word about clients is taken.
    pub proxies: Arc<TrustedProxies>,
}

impl Upstreams {
    fn of(&self, route: &Route) -> Option<&Arc<Upstream>> {
        match route.side {
            Side::Command => Some(&self.commands),
            Side::Query => Some(&self.queries),
            Side::Operations => OF_QUERIES.contains(&route.path).then_some(&self.queries),
        }
    }
}

/// Every route of the shop that is not about the process itself.
pub fn router(upstreams: &Upstreams) -> Router {
    let is_passed_on = |route: &&Route| !OWN.contains(&route.path) && upstreams.of(route).is_some();
    let paths: BTreeSet<&str> = ROUTES.iter().filter(is_passed_on).map(|route| route.path).collect();
    let router = paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(pass_on)));
    router.with_state(upstreams.clone())
}

async fn pass_on(
    State(upstreams): State<Upstreams>,
    path: MatchedPath,
    caller: Caller,
    request: Request,
) -> Response {
    // The layers let only those pass that have a row.
    let route = table::find(request.method().as_str(), path.as_str());
    let found = route.and_then(|route| Some((route, upstreams.of(route)?)));
    let Some((route, upstream)) = found else {
        return Problem::internal(&"a request without a row got in").into_response();
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let scheme = peer.map(|peer| upstreams.proxies.scheme(peer, request.headers()));
    match passed_on(upstream, route, &caller, scheme, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn passed_on(
    upstream: &Arc<Upstream>,
    route: &'static Route,
    caller: &Caller,
    scheme: Option<HeaderValue>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let correlation_id = parts.extensions.get::<CorrelationId>();
    let head = Head {
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: headers::passed_on(
            &parts,
            forwarded_for(caller),
            correlation_id,
            scheme.unwrap_or(HeaderValue::from_static("http")),
        ),
    };
    // Its room is held until the upstream has answered: it may be sent again.
    let room = parts.extensions.get::<Arc<Room>>().cloned().unwrap_or_default();
    let mut gathering = room.body(caller.nearest_address());
    let body = read(body, route.body_bytes_max, &mut gathering).await?;
    let may_repeat = may_repeat(route, &head);
    upstream.send(&Outgoing { head, route, body, may_repeat }, caller.nearest_address()).await
}

/// The client as the upstream is told of it. One that is not known is said to be so: without a word the upstream
/// would take this process for the client.
fn forwarded_for(caller: &Caller) -> Option<HeaderValue> {
    if matches!(caller.address_source, AddressSource::Behind(_)) {
        return Some(HeaderValue::from_static("unknown"));
    }
    caller.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok())
}

/// What is sent of a request besides its body.
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// Whether a request does no more when it is sent twice: a read, or a write under a key. Signing in does,
/// whatever its method.
fn may_repeat(route: &Route, head: &Head) -> bool {
    let is_read = head.method.is_safe() && route.class != Class::Auth;
    is_read || (route.takes_key && head.headers.contains_key(headers::IDEMPOTENCY_KEY))
}
