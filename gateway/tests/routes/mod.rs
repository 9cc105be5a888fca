//! A small route table for the tests of the layers and of the proxy.

use std::sync::Arc;

use souk_gateway::RouteTable;
use souk_http::routes::operations::{API_DOCUMENT, DOCS, LIVE, METRICS, PROBLEM, READY, RELEASE_GATE};
use souk_http::routes::{Access, RateClass, Route, Side, rules};

/// Returns routes of every kind, under paths of the shop.
pub(crate) fn table() -> Arc<RouteTable> {
    let sign_in = rules(Access::Anyone).counts_as(RateClass::Auth).without_version();
    let webhook = rules(Access::Signature).small_body().counts_as(RateClass::Unlimited).without_version();
    let switch = rules(Access::Admin).ignores_idempotency_keys().long_timeout();
    let commands = [
        ("POST", "/api/auth/signup", sign_in),
        ("POST", "/api/auth/login", sign_in),
        ("POST", "/api/auth/logout", sign_in),
        ("POST", "/api/cart/items", rules(Access::OptionalCart)),
        ("DELETE", "/api/cart", rules(Access::OptionalCart)),
        ("POST", "/api/cart/merge", rules(Access::SignedIn)),
        ("POST", "/api/orders", rules(Access::Buyer)),
        ("POST", "/api/payments/webhook", webhook),
        ("POST", "/api/admin/projections/switch", switch),
    ];
    let queries = [
        ("/api/cart", Access::OptionalCart),
        ("/api/products", Access::Anyone),
        ("/api/products/{id}", Access::Anyone),
        ("/api/inventory/stock/{sku}", Access::Anyone),
        ("/api/orders", Access::SignedIn),
        ("/api/orders/{id}", Access::Buyer),
    ];
    let operations = [LIVE, READY, METRICS, API_DOCUMENT, DOCS, PROBLEM];
    let unlimited = rules(Access::Anyone).counts_as(RateClass::Unlimited);
    let commands = commands.map(|(method, path, rules)| Route::new(method, path, Side::Command, rules));
    let queries = queries.map(|(path, access)| Route::new("GET", path, Side::Query, access));
    let operations = operations.map(|path| Route::new("GET", path, Side::Operations, unlimited));
    let callbacks = Route::new("POST", RELEASE_GATE, Side::Operations, unlimited.small_body());
    let routes = commands.into_iter().chain(queries).chain(operations).chain([callbacks]);
    Arc::new(RouteTable::new(routes.collect()))
}
