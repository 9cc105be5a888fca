//! Router that collects the rows of its routes.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{Route, RouteRules, Side};
use crate::StrictQuery;

/// Router of handlers with their rules and their descriptions in the API document.
pub struct ApiRouter<S> {
    side: Side,
    router: OpenApiRouter<S>,
    routes: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> ApiRouter<S> {
    /// Makes a router without routes for a part of the shop.
    pub fn new(side: Side) -> Self {
        Self { side, router: OpenApiRouter::default(), routes: Vec::new() }
    }

    /// Adds a handler, as `routes!(handler)` returns it, with the rules of its route.
    pub fn route(mut self, handler: UtoipaMethodRouter<S>, rules: impl Into<RouteRules>) -> Self {
        let rules = rules.into();
        for (path, item) in &handler.1.paths {
            self.routes.extend(methods(item).map(|method| Route::new(method, path, self.side, rules)));
        }
        Self { router: self.router.routes(refuse_undeclared(handler)), ..self }
    }

    /// Adds the routes of another router.
    pub fn merge(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// Returns the rows of all routes. The handlers are dropped, so no state is needed.
    pub fn into_routes(self) -> Vec<Route> {
        self.routes
    }

    /// Returns the router of all handlers.
    pub fn into_router(self) -> OpenApiRouter<S> {
        self.router
    }
}

/// Query string of a read that declares no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

/// Refuses all query parameters of a read that declares none. Other reads take a [`StrictQuery`], which refuses
/// unknown parameters.
fn refuse_undeclared<S: Clone + Send + Sync + 'static>(
    handler: UtoipaMethodRouter<S>,
) -> UtoipaMethodRouter<S> {
    let (schemas, paths, methods) = handler;
    let reads = paths.paths.values().filter_map(|item| item.get.as_ref());
    if reads.clone().count() == 0 || reads.clone().any(has_query) {
        return (schemas, paths, methods);
    }
    let refuse = async |_: StrictQuery<NoParameters>, request: Request, next: Next| next.run(request).await;
    (schemas, paths, methods.layer(from_fn(refuse)))
}

fn has_query(operation: &Operation) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(
        |parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query),
    )
}

/// Returns the methods of a path that have a handler.
fn methods(item: &PathItem) -> impl Iterator<Item = &'static str> {
    let operations = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    operations.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method)
}
