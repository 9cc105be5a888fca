//! What browsers are told: which other sites may ask, and what none of them may do with an answer.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

/// How long a browser keeps what it was told about other sites.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(600);

/// What requests of other sites may carry.
const ASKED: [HeaderName; 9] = [
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

/// What scripts of other sites may read of answers.
const ANSWERED: [HeaderName; 9] = [
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

/// Lets scripts of these sites ask, and no others.
pub fn for_browsers(router: Router, origins: Vec<HeaderValue>) -> Router {
    let always = |name: &'static str, value: &'static str| {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        SetResponseHeaderLayer::if_not_present(name, value)
    };
    let router = router
        .layer(always("x-content-type-options", "nosniff"))
        .layer(always("x-frame-options", "DENY"))
        // Answers are about somebody, or about stock that is gone tomorrow.
        .layer(always("cache-control", "no-store"))
        .layer(always("referrer-policy", "no-referrer"))
        .layer(always("content-security-policy", "default-src 'none'; frame-ancestors 'none'"));
    if origins.is_empty() {
        return router;
    }
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(ASKED)
        .expose_headers(ANSWERED)
        .max_age(PREFLIGHT_KEPT);
    router.layer(cors)
}
