//! Response headers for browsers: CORS, and headers that forbid caching, framing and content sniffing.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

/// Time for which a browser may cache the response to a preflight request.
const PREFLIGHT_AGE_MAX: Duration = Duration::from_secs(600);

/// Headers that requests of other sites may have.
const REQUEST_HEADERS: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("x-api-version"),
    HeaderName::from_static("x-cart-token"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("x-min-position"),
];

/// Headers of responses that scripts of other sites may read.
const RESPONSE_HEADERS: [HeaderName; 9] = [
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-behind-since"),
    HeaderName::from_static("x-cart-token"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("x-position"),
];

/// Adds the headers to every response. Scripts of the given origins may send requests; scripts of other sites
/// may not.
pub fn with_browser_headers(router: Router, origins: Vec<HeaderValue>) -> Router {
    let always = |name: &'static str, value: &'static str| {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        SetResponseHeaderLayer::if_not_present(name, value)
    };
    let router = router
        .layer(always("x-content-type-options", "nosniff"))
        .layer(always("x-frame-options", "DENY"))
        // Responses contain personal data, or data that changes often.
        .layer(always("cache-control", "no-store"))
        .layer(always("referrer-policy", "no-referrer"))
        .layer(always("content-security-policy", "default-src 'none'; frame-ancestors 'none'"));
    if origins.is_empty() {
        return router;
    }
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(PREFLIGHT_AGE_MAX);
    router.layer(cors)
}
