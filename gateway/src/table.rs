//! The route table: every route of the shop with its access rule, limits and timeout.
//!
//! *Invariant:* a route that is not in the table refuses every request.

use souk_http::{Caller, Problem, Role};

/// Largest body of most routes, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest body of a webhook or a callback of the release gate, in bytes. It is small, because the body of a
/// webhook is read before its signature is verified. Valid webhooks have less than 2 KiB, and other events of
/// payment providers have a few KiB.
pub const SIGNED_BODY_BYTES_MAX: usize = 32 * 1024;
/// Largest body of a route whose body has no fields, in bytes. Such a route accepts no body or `{}`.
const EMPTY_BODY_BYTES_MAX: usize = 1024;
/// Timeout of most routes, in seconds: longer than the longest `Prefer: wait`.
const TIMEOUT_S: u64 = 40;
/// Timeout of an import and of the switch at the end of a rebuild, in seconds.
const LONG_TIMEOUT_S: u64 = 600;

/// Part of the shop that handles a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Command API: writes and sign-in.
    Command,
    /// Query API: reads.
    Query,
    /// Routes about the process itself, such as health checks.
    Operations,
}

/// Access rule of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every caller.
    Anyone,
    /// Every caller. A guest may send a cart token.
    Guest,
    /// Callers with an access token or a cart token. Requests for resources of other people get 404.
    Buyer,
    /// Callers with an access token. Requests for resources of other people get 404.
    SignedIn,
    /// Admins, and other systems that call the shop.
    Staff,
    /// Admins only.
    Admin,
    /// Callers that sign the body with the secret of the webhooks.
    Signature,
}

impl Access {
    /// Returns the name of the rule in the list of routes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Guest => "guest cart",
            Self::Buyer => "guest cart or customer, own only",
            Self::SignedIn => "customer, own only",
            Self::Staff => "admin or service",
            Self::Admin => "admin",
            Self::Signature => "signed",
        }
    }

    /// Checks a caller against the rule. Returns a problem if the caller is refused.
    pub fn check(self, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Anyone | Self::Guest | Self::Signature => Ok(()),
            // This process can't verify the token; the upstream verifies it.
            _ if caller.unverified.token => Ok(()),
            Self::Buyer if caller.unverified.cart => Ok(()),
            Self::Buyer => caller.signed_in_or_guest(),
            Self::SignedIn => caller.signed_in().map(drop),
            Self::Staff => caller.require(&[Role::Admin, Role::Service]),
            Self::Admin => caller.require(&[Role::Admin]),
        }
    }
}

/// Class of routes whose requests count against the same rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Sign-in, and other routes that check a secret.
    Auth,
    /// Routes that read.
    Read,
    /// Routes that write.
    Write,
    /// Routes without a rate limit.
    Unlimited,
}

impl Route {
    /// Returns true if a 404 of this route may hide a resource of another person.
    pub fn hides_other_owners(&self) -> bool {
        matches!(self.access, Access::Buyer | Access::SignedIn) || self.path.starts_with("/api/orders/lookup")
    }
}

impl Class {
    /// Returns the name of the class in the list of routes and in response headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Read => "read",
            Self::Write => "write",
            Self::Unlimited => "unlimited",
        }
    }
}

/// Row of the table: a route and its rules.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// HTTP method, in capital letters.
    pub method: &'static str,
    /// Path template, such as `/api/orders/{id}`.
    pub path: &'static str,
    /// Part of the shop that handles the route.
    pub side: Side,
    /// Access rule.
    pub access: Access,
    /// Class for the rate limit.
    pub class: Class,
    /// Largest body, in bytes. 0 if the route takes no body.
    pub body_bytes_max: usize,
    /// Timeout of the response, in seconds.
    pub timeout_s: u64,
    /// True if the route supports `Idempotency-Key`, so that a repeat with the same key has no further
    /// effect.
    pub takes_key: bool,
}

const fn route(method: &'static str, path: &'static str, side: Side, access: Access, class: Class) -> Route {
    Route {
        method,
        path,
        side,
        access,
        class,
        body_bytes_max: BODY_BYTES_MAX,
        timeout_s: TIMEOUT_S,
        takes_key: false,
    }
}

const fn get(path: &'static str, access: Access) -> Route {
    bodiless(route("GET", path, Side::Query, access, Class::Read))
}

const fn write(method: &'static str, path: &'static str, access: Access) -> Route {
    Route { takes_key: true, ..route(method, path, Side::Command, access, Class::Write) }
}

const fn post(path: &'static str, access: Access) -> Route {
    write("POST", path, access)
}

const fn put(path: &'static str, access: Access) -> Route {
    write("PUT", path, access)
}

const fn patch(path: &'static str, access: Access) -> Route {
    write("PATCH", path, access)
}

const fn delete(path: &'static str, access: Access) -> Route {
    bodiless(write("DELETE", path, access))
}

const fn auth(method: &'static str, path: &'static str, access: Access) -> Route {
    route(method, path, Side::Command, access, Class::Auth)
}

const fn operations(path: &'static str) -> Route {
    bodiless(route("GET", path, Side::Operations, Access::Anyone, Class::Unlimited))
}

const fn bodiless(route: Route) -> Route {
    Route { body_bytes_max: 0, ..route }
}

const fn fieldless(route: Route) -> Route {
    Route { body_bytes_max: EMPTY_BODY_BYTES_MAX, ..route }
}

const fn small_body(route: Route) -> Route {
    Route { body_bytes_max: SIGNED_BODY_BYTES_MAX, ..route }
}

const fn keyless(route: Route) -> Route {
    Route { takes_key: false, ..route }
}

const fn long_timeout(route: Route) -> Route {
    Route { timeout_s: LONG_TIMEOUT_S, ..route }
}

/// All routes of the shop.
pub const ROUTES: &[Route] = &[
    // auth
    auth("POST", "/api/auth/signup", Access::Anyone),
    auth("POST", "/api/auth/login", Access::Anyone),
    auth("POST", "/api/auth/refresh", Access::Anyone),
    auth("POST", "/api/auth/logout", Access::Anyone),
    bodiless(auth("GET", "/api/auth/validate", Access::SignedIn)),
    auth("POST", "/api/auth/password/change", Access::SignedIn),
    auth("POST", "/api/auth/password/reset", Access::Anyone),
    auth("POST", "/api/auth/password/reset/confirm", Access::Anyone),
    auth("POST", "/api/auth/email/verify", Access::Anyone),
    bodiless(auth("GET", "/api/auth/audit", Access::SignedIn)),
    bodiless(auth("GET", "/api/auth/oidc/{provider}/start", Access::Anyone)),
    bodiless(auth("GET", "/api/auth/oidc/{provider}/callback", Access::Anyone)),
    bodiless(auth("DELETE", "/api/auth/oidc/{provider}", Access::SignedIn)),
    auth("POST", "/api/auth/oidc/exchange", Access::Anyone),
    bodiless(route("GET", "/.well-known/jwks.json", Side::Command, Access::Anyone, Class::Read)),
    // users
    get("/api/users/me", Access::SignedIn),
    put("/api/users/me", Access::SignedIn),
    // The body contains the password.
    write("DELETE", "/api/users/me", Access::SignedIn),
    get("/api/users/me/addresses", Access::SignedIn),
    post("/api/users/me/addresses", Access::SignedIn),
    put("/api/users/me/addresses/{id}", Access::SignedIn),
    delete("/api/users/me/addresses/{id}", Access::SignedIn),
    fieldless(put("/api/users/me/addresses/{id}/default", Access::SignedIn)),
    get("/api/users/me/preferences", Access::SignedIn),
    put("/api/users/me/preferences", Access::SignedIn),
    get("/api/users/me/export", Access::SignedIn),
    delete("/api/users/{id}", Access::Admin),
    // products
    get("/api/products", Access::Anyone),
    get("/api/products/{id}", Access::Anyone),
    post("/api/products", Access::Admin),
    put("/api/products/{id}", Access::Admin),
    delete("/api/products/{id}", Access::Admin),
    // inventory
    get("/api/inventory/stock", Access::Staff),
    get("/api/inventory/stock/{sku}", Access::Anyone),
    post("/api/inventory/stock", Access::Staff),
    post("/api/inventory/reserve", Access::Staff),
    post("/api/inventory/release", Access::Staff),
    post("/api/inventory/confirm", Access::Staff),
    // cart
    get("/api/cart", Access::Guest),
    post("/api/cart/items", Access::Guest),
    put("/api/cart/items/{item}", Access::Guest),
    delete("/api/cart/items/{item}", Access::Guest),
    delete("/api/cart", Access::Guest),
    post("/api/cart/merge", Access::SignedIn),
    // orders
    get("/api/orders", Access::SignedIn),
    get("/api/orders/{id}", Access::Buyer),
    get("/api/orders/admin/sales", Access::Admin),
    post("/api/orders", Access::Buyer),
    route("POST", "/api/orders/lookup", Side::Query, Access::Anyone, Class::Auth),
    auth("POST", "/api/orders/lookup/erase", Access::Anyone),
    post("/api/orders/{id}/cancel", Access::Buyer),
    fieldless(post("/api/orders/{id}/confirm", Access::Admin)),
    post("/api/orders/{id}/ship", Access::Admin),
    patch("/api/orders/{id}/shipments/{number}", Access::Admin),
    fieldless(post("/api/orders/{id}/deliver", Access::Admin)),
    post("/api/orders/{id}/return", Access::Admin),
    put("/api/orders/{id}/shipping-address", Access::Admin),
    get("/api/orders/{id}/notes", Access::Admin),
    post("/api/orders/{id}/notes", Access::Admin),
    put("/api/orders/{id}/notes/{note}", Access::Admin),
    delete("/api/orders/{id}/notes/{note}", Access::Admin),
    fieldless(keyless(post("/api/orders/admin/saga/timeouts/run", Access::Admin))),
    // payments
    get("/api/payments", Access::Admin),
    get("/api/payments/{id}", Access::Buyer),
    post("/api/payments/intents", Access::Buyer),
    post("/api/payments/{id}/refunds", Access::Admin),
    get("/api/payments/provider/dead-letters", Access::Admin),
    fieldless(post("/api/payments/provider/dead-letters/{id}/requeue", Access::Admin)),
    post("/api/payments/provider/dead-letters/{id}/skip", Access::Admin),
    small_body(route("POST", "/api/payments/webhook", Side::Command, Access::Signature, Class::Unlimited)),
    // administration
    get("/api/admin/projections", Access::Admin),
    get("/api/admin/parked", Access::Admin),
    get("/api/admin/streams/{stream}", Access::Admin),
    get("/api/admin/correlations/{id}", Access::Admin),
    keyless(post("/api/admin/users", Access::Admin)),
    keyless(post("/api/admin/parked/retry", Access::Admin)),
    post("/api/admin/parked/skip", Access::Admin),
    keyless(long_timeout(post("/api/admin/projections/switch", Access::Admin))),
    keyless(long_timeout(post("/api/admin/import/products", Access::Admin))),
    // operations
    operations("/health/live"),
    operations("/health/ready"),
    operations("/metrics"),
    operations("/openapi.json"),
    operations("/docs"),
    operations("/problems/{code}"),
    small_body(route(
        "POST",
        "/internal/release-gate/callbacks",
        Side::Operations,
        Access::Anyone,
        Class::Unlimited,
    )),
];

/// Returns the row of a route. `HEAD` uses the row of `GET`.
pub fn find(method: &str, path: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}

/// Returns the methods of a path.
pub fn methods(path: &str) -> Vec<&'static str> {
    ROUTES.iter().filter(|route| route.path == path).map(|route| route.method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_only_one_row() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn each_access_rule_admits_only_its_callers() {
        let nobody = Caller::default();
        let with = |roles: Vec<Role>| Caller {
            subject: Some(souk_domain::CustomerId::parse("ada").unwrap()),
            roles,
            ..Caller::default()
        };
        let guest = Caller { cart: Some(souk_domain::CartId(uuid::Uuid::nil())), ..Caller::default() };
        let customer = with(vec![Role::Customer]);
        let service = with(vec![Role::Service]);
        let admin = with(vec![Role::Admin]);
        let status = |access: Access, caller: &Caller| match access.check(caller) {
            Ok(()) => 200,
            Err(problem) => problem.status().as_u16(),
        };
        for (access, expected) in [
            (Access::Anyone, [200, 200, 200, 200, 200]),
            (Access::Guest, [200, 200, 200, 200, 200]),
            (Access::Signature, [200, 200, 200, 200, 200]),
            (Access::Buyer, [401, 200, 200, 200, 200]),
            (Access::SignedIn, [401, 401, 200, 200, 200]),
            (Access::Staff, [401, 401, 403, 200, 200]),
            (Access::Admin, [401, 401, 403, 403, 200]),
        ] {
            let callers = [&nobody, &guest, &customer, &service, &admin];
            assert_eq!(callers.map(|caller| status(access, caller)), expected, "{access:?}");
        }
    }
}
