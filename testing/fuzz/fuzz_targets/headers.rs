//! Fuzz target for request headers with tokens, and for cursors: every request gets a response, and no
//! made-up token is accepted.
#![no_main]

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::routing::get;
use libfuzzer_sys::fuzz_target;
use souk_eventsourcing::testkit::Noon;
use souk_gateway::{BodyHandling, Edge, Limits, RouteTable, edge};
use souk_http::headers::{ReadHeaders, WriteHeaders};
use souk_http::routes::{Access, Route, Side};
use souk_http::{Caller, Keys, Problem, paging};
use tower::ServiceExt;

async fn read(caller: Caller, _: ReadHeaders, _: WriteHeaders, body: String) -> Result<String, Problem> {
    assert!(caller.subject.is_none() && caller.cart.is_none() && caller.roles.is_empty(), "{caller:?}");
    let cursor = Some(body.as_str());
    if let Some(key) = paging::decode::<(i64, String)>("orders", cursor)? {
        return Ok(paging::encode("orders", &key));
    }
    paging::decode::<(String, u64)>("products:name", cursor).map(|_| body.clone())
}

static SHOP: LazyLock<Router> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let keys = Arc::new(Keys::open(folder.path()).expect("keys can be created"));
    let cart = Route::new("GET", "/api/cart", Side::Query, Access::OptionalCart);
    let settings = Edge {
        routes: Arc::new(RouteTable::new(vec![cart])),
        tokens: keys,
        ended_sessions: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::local()),
        proxies: Arc::default(),
        bodies: BodyHandling::ReadHere,
        memory: Arc::default(),
    };
    edge(Router::new().route("/api/cart", get(read)), settings)
});

// The input has lines with the name and value of a header, then an empty line, then a cursor.
fuzz_target!(|data: &[u8]| {
    let mut request = Request::get("/api/cart").header("x-api-version", "v1");
    let mut lines = data.split(|byte| *byte == b'\n');
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        let (Ok(name), Ok(value)) = (name, value) else { return };
        request = request.header(name, value);
    }
    let Ok(request) = request.body(Body::from(lines.next().unwrap_or_default().to_vec())) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be created");
    let response = runtime.block_on(SHOP.clone().oneshot(request)).expect("the router returns no errors");
    assert!(response.status().as_u16() < 500, "{response:?}");
});
