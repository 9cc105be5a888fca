//! Rules that are declared for a route. The method of the route decides everything else.

use super::Access;

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

/// Class of routes whose requests count against the same rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Sign-in, and other routes that check a secret.
    Auth,
    /// Routes that read.
    Read,
    /// Routes that write.
    Write,
    /// Routes without a rate limit.
    Unlimited,
}

impl RateClass {
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

/// Rules of a route: its access rule, and its differences from other routes with the same method.
///
/// Without differences, a `GET` counts as a read and takes no body. All other methods count as a write and
/// take an idempotency key and `If-Match`. A `DELETE` takes no body.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact about a route")]
#[derive(Clone, Copy, Debug)]
pub struct RouteRules {
    pub(super) access: Access,
    pub(super) rate_class: Option<RateClass>,
    pub(super) body_bytes_max: Option<usize>,
    pub(super) timeout_s: u64,
    pub(super) takes_key: Option<bool>,
    pub(super) is_without_version: bool,
    pub(super) is_without_revision: bool,
    pub(super) takes_wait: bool,
    pub(super) hides_other_owners: bool,
}

/// Returns the rules of a route that has this access rule and no differences.
pub fn rules(access: Access) -> RouteRules {
    RouteRules {
        access,
        rate_class: None,
        body_bytes_max: None,
        timeout_s: TIMEOUT_S,
        takes_key: None,
        is_without_version: false,
        is_without_revision: false,
        takes_wait: false,
        hides_other_owners: matches!(access, Access::Buyer | Access::SignedIn),
    }
}

impl From<Access> for RouteRules {
    fn from(access: Access) -> Self {
        rules(access)
    }
}

impl RouteRules {
    /// Counts the requests in this class. Routes of the class `write` take an idempotency key.
    pub fn counts_as(self, rate_class: RateClass) -> Self {
        Self { rate_class: Some(rate_class), ..self }
    }

    /// Allows a body with fields, also for a `DELETE`.
    pub fn with_body(self) -> Self {
        Self { body_bytes_max: Some(BODY_BYTES_MAX), ..self }
    }

    /// Allows only a body without fields: no body, or `{}`.
    pub fn without_fields(self) -> Self {
        Self { body_bytes_max: Some(EMPTY_BODY_BYTES_MAX), ..self }
    }

    /// Allows only a small body, because the body is read before its sender is verified.
    pub fn small_body(self) -> Self {
        Self { body_bytes_max: Some(SIGNED_BODY_BYTES_MAX), ..self }
    }

    /// Declares that the route ignores idempotency keys and `If-Match`.
    pub fn ignores_idempotency_keys(self) -> Self {
        Self { takes_key: Some(false), ..self }
    }

    /// Declares that the route takes idempotency keys, although its class is not `write`.
    pub fn takes_idempotency_keys(self) -> Self {
        Self { takes_key: Some(true), ..self }
    }

    /// Declares that requests need no version of the API, because browsers or other systems send them.
    pub fn without_version(self) -> Self {
        Self { is_without_version: true, ..self }
    }

    /// Declares that the route ignores `If-Match`, because its requests create something or concern several
    /// resources.
    pub fn without_revision(self) -> Self {
        Self { is_without_revision: true, ..self }
    }

    /// Declares that a write supports `Prefer: wait=…`.
    pub fn with_wait(self) -> Self {
        Self { takes_wait: true, ..self }
    }

    /// Gives the handler more time than other handlers.
    pub fn long_timeout(self) -> Self {
        Self { timeout_s: LONG_TIMEOUT_S, ..self }
    }

    /// Declares that a 404 may hide a resource of another person. Routes with the access rules
    /// [`Access::Buyer`] and [`Access::SignedIn`] always do that.
    pub fn hides_other_owners(self) -> Self {
        Self { hides_other_owners: true, ..self }
    }
}
