//! Row of the route table.

use super::Access;
use super::rules::{BODY_BYTES_MAX, RateClass, RouteRules};

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

/// A route and its rules.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact about a route")]
#[derive(Clone, Debug)]
pub struct Route {
    /// HTTP method, in capital letters.
    pub method: &'static str,
    /// Path template, such as `/api/orders/{id}`.
    pub path: String,
    /// Part of the shop that handles the route.
    pub side: Side,
    /// Access rule.
    pub access: Access,
    /// Class for the rate limit.
    pub rate_class: RateClass,
    /// Largest body, in bytes. 0 if the route takes no body.
    pub body_bytes_max: usize,
    /// Timeout of the response, in seconds.
    pub timeout_s: u64,
    /// True if the route supports `Idempotency-Key`, so that a repeat with the same key has no further
    /// effect.
    pub takes_key: bool,
    /// True if requests must have the header `X-API-Version`.
    pub needs_version: bool,
    /// True if the route supports `If-Match`, so that it refuses a write to another revision of the resource.
    pub takes_revision: bool,
    /// True if a write supports `Prefer: wait=…`, so that its response can wait for the result.
    pub takes_wait: bool,
    /// True if a 404 of this route may hide a resource of another person.
    pub hides_other_owners: bool,
}

impl Route {
    /// Makes the row of a route. The method decides about everything that the rules leave open.
    pub fn new(method: &'static str, path: &str, side: Side, rules: impl Into<RouteRules>) -> Self {
        let rules = rules.into();
        let default_class = if method == "GET" { RateClass::Read } else { RateClass::Write };
        let rate_class = rules.rate_class.unwrap_or(default_class);
        let takes_key = rules.takes_key.unwrap_or(rate_class == RateClass::Write);
        let default_body_bytes_max = if ["GET", "DELETE"].contains(&method) { 0 } else { BODY_BYTES_MAX };
        Self {
            method,
            path: path.to_owned(),
            side,
            access: rules.access,
            rate_class,
            body_bytes_max: rules.body_bytes_max.unwrap_or(default_body_bytes_max),
            timeout_s: rules.timeout_s,
            takes_key,
            needs_version: side != Side::Operations && !rules.is_without_version,
            takes_revision: takes_key && !rules.is_without_revision,
            takes_wait: rules.takes_wait,
            hides_other_owners: rules.hides_other_owners,
        }
    }
}
