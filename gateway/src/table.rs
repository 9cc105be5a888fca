//! Every route of the shop, and what holds for it.

use souk_http::{Caller, Problem, Role};

/// The largest body of most routes, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The largest body of a webhook, in bytes: it is read before its signature is known to be right. The largest
/// that the route takes has less than 2 KiB, and events of payment providers have a few.
pub const SIGNED_BODY_BYTES_MAX: usize = 32 * 1024;
/// The largest body of a route without fields, which takes none or `{}`, in bytes.
const EMPTY_BODY_BYTES_MAX: usize = 1024;
/// How long most routes may take, in seconds: the longest that can be asked for by `Prefer: wait`, and some.
const TIMEOUT_S: u64 = 40;
/// How long an import's request or the end of a rebuild may take, in seconds.
const LONG_TIMEOUT_S: u64 = 600;

/// Which part of the shop answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Writes, and signing in.
    Command,
    /// Reads.
    Query,
    /// The process itself.
    Operations,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anyone,
    /// Anybody, a guest with their cart's token.
    Guest,
    /// A guest with their cart's token, or somebody with a token; what belongs to others is not there.
    Buyer,
    /// Somebody with a token; what belongs to others is not there.
    SignedIn,
    /// Admins and other systems.
    Staff,
    /// Admins.
    Admin,
    /// Whoever signs the body.
    Signature,
}

impl Access {
    /// As the list of routes names it.
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

    /// Lets a caller in, or says why not.
    pub fn check(self, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Anyone | Self::Guest | Self::Signature => Ok(()),
            // Whoever can judge what they hold lets them in or not.
            _ if caller.unread.token => Ok(()),
            Self::Buyer if caller.unread.cart => Ok(()),
            Self::Buyer => caller.signed_in_or_guest(),
            Self::SignedIn => caller.signed_in().map(drop),
            Self::Staff => caller.require(&[Role::Admin, Role::Service]),
            Self::Admin => caller.require(&[Role::Admin]),
        }
    }
}

/// What counts together against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Signing in, and what can be guessed.
    Auth,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// What is not limited.
    Unlimited,
}

impl Route {
    /// Whether an answer that something is not there may mean that it is somebody else's.
    pub fn hides(&self) -> bool {
        matches!(self.access, Access::Buyer | Access::SignedIn) || self.path.starts_with("/api/orders/lookup")
    }
}

impl Class {
    /// As the list of routes and the headers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Read => "read",
            Self::Write => "write",
            Self::Unlimited => "unlimited",
        }
    }
}

/// A route and what holds for it.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, as routers write it.
    pub path: &'static str,
    /// Which part of the shop answers.
    pub side: Side,
    /// Who may call.
    pub access: Access,
    /// What it counts as.
    pub class: Class,
    /// The largest body, in bytes; 0 where no body belongs.
    pub body_bytes_max: usize,
    /// How long an answer may take, in seconds.
    pub timeout_s: u64,
    /// Whether a repeat under the same `Idempotency-Key` does nothing.
    pub takes_key: bool,
}

const fn route(method: &'static str, path: &'static str, side: Side, access: Access, class: Class) -> Route {
    let (body_bytes_max, timeout_s) = (BODY_BYTES_MAX, TIMEOUT_S);
    Route { method, path, side, access, class, body_bytes_max, timeout_s, takes_key: false }
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

const fn small(route: Route) -> Route {
    Route { body_bytes_max: SIGNED_BODY_BYTES_MAX, ..route }
}

const fn keyless(route: Route) -> Route {
    Route { takes_key: false, ..route }
}

const fn long(route: Route) -> Route {
    Route { timeout_s: LONG_TIMEOUT_S, ..route }
}

/// Every route.
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
    // Its body holds the password.
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
    fieldless(keyless(post("/api/orders/admin/saga/timeouts/run", Access::Admin))),
    // payments
    get("/api/payments", Access::Admin),
    get("/api/payments/{id}", Access::Buyer),
    post("/api/payments/intents", Access::Buyer),
    post("/api/payments/{id}/refunds", Access::Admin),
    get("/api/payments/provider/dead-letters", Access::Admin),
    fieldless(post("/api/payments/provider/dead-letters/{id}/requeue", Access::Admin)),
    post("/api/payments/provider/dead-letters/{id}/skip", Access::Admin),
    small(route("POST", "/api/payments/webhook", Side::Command, Access::Signature, Class::Unlimited)),
    // administration
    get("/api/admin/projections", Access::Admin),
    get("/api/admin/parked", Access::Admin),
    get("/api/admin/streams/{stream}", Access::Admin),
    get("/api/admin/correlations/{id}", Access::Admin),
    keyless(post("/api/admin/users", Access::Admin)),
    keyless(post("/api/admin/parked/retry", Access::Admin)),
    post("/api/admin/parked/skip", Access::Admin),
    keyless(long(post("/api/admin/projections/switch", Access::Admin))),
    keyless(long(post("/api/admin/import/products", Access::Admin))),
    // the process itself
    operations("/health/live"),
    operations("/health/ready"),
    operations("/metrics"),
    operations("/openapi.json"),
    operations("/docs"),
    operations("/problems/{code}"),
    small(route(
        "POST",
        "/internal/release-gate/callbacks",
        Side::Operations,
        Access::Anyone,
        Class::Unlimited,
    )),
];

/// The row of a route. `HEAD` is what `GET` would answer, without the body.
pub fn find(method: &str, path: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}

/// The methods that a path has.
pub fn methods(path: &str) -> Vec<&'static str> {
    ROUTES.iter().filter(|route| route.path == path).map(|route| route.method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_has_two_rows() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn only_who_may_gets_in() {
        let nobody = Caller::default();
        let with = |roles: Vec<Role>| Caller {
            subject: Some(souk_domain::CustomerId::parse("ada").unwrap()),
            roles,
            ..Caller::default()
        };
        let guest = Caller { cart: Some(souk_domain::CartId(uuid::Uuid::nil())), ..Caller::default() };
        let customer = with(vec![Role::Customer]);
        let (service, admin) = (with(vec![Role::Service]), with(vec![Role::Admin]));
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
