//! Router that collects the rows of its routes.

use utoipa::openapi::path::PathItem;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{Route, RouteRules, Side};

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
        Self { router: self.router.routes(handler), ..self }
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
