//! Routes and their rules: allowed callers, rate limit, body size, timeout, headers.
//!
//! A route is declared where its handler joins a router. Method and path come from the `#[utoipa::path]`
//! annotation of the handler, and [`ApiRouter::route`] adds the rules. The router collects one [`Route`] for
//! each method and path, and the gateway applies these rows to every request.
//!
//! *Invariant:* an [`ApiRouter`] has no handler without rules.

mod access;
pub mod operations;
mod route;
mod router;
mod rules;

pub use access::Access;
pub use route::{Route, Side};
pub use router::ApiRouter;
pub use rules::{BODY_BYTES_MAX, RateClass, RouteRules, SIGNED_BODY_BYTES_MAX, rules};
