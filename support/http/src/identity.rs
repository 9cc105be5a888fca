//! Caller of a request, as its access token says. Access tokens are `EdDSA` JWTs with roles.
//!
//! A token that is present but invalid is refused, even on a route that needs no token. Verified signatures
//! are cached; the key, the expiry and the end of the session are checked on every request.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use souk_domain::{CartId, CustomerId};
use souk_eventsourcing::Actor;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ended_sessions::EndedSessions;
use crate::keys::Keys;
use crate::problem::Problem;

/// Issuer and audience of the shop's tokens.
const ISSUER: &str = "souk";
/// Number of verified tokens that are cached.
const VERIFIED_MAX: usize = 10_000;
/// Tolerated difference between two clocks, in seconds.
const CLOCK_DIFFERENCE_MAX_S: u64 = 5;

/// Role of a token. It decides which routes the caller may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "customer")]
pub enum Role {
    /// A person who buys.
    Customer,
    /// A person who runs the shop.
    Admin,
    /// Another system, such as a warehouse.
    Service,
}

impl Role {
    /// Returns the role as it is written in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    roles: Vec<Role>,
    iss: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    /// Session of the token. `None` for tokens of machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
}

/// Content of a new access token.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// Account or machine that the token is for.
    pub subject: &'a CustomerId,
    /// Role that the token carries.
    pub role: Role,
    /// Lifetime of the token.
    pub ttl: Duration,
    /// Session of the token. `None` for tokens of machines.
    pub session: Option<Uuid>,
}

/// The caller: the person or machine that sent a request.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Subject of the access token. `None` without a token.
    pub subject: Option<CustomerId>,
    /// Roles of the access token. Empty without a token.
    pub roles: Vec<Role>,
    /// Session of the access token. `None` for tokens of machines.
    pub session: Option<Uuid>,
    /// Time at which the access token expires.
    pub expires_at: Option<Timestamp>,
    /// Guest cart that the cart token names.
    pub cart: Option<CartId>,
    /// Client address, if it is known.
    pub address: Option<IpAddr>,
    /// Source of the client address, or the reason why the address is not known.
    pub address_source: AddressSource,
    /// Tokens of the request that this process can't verify.
    pub unverified: Unverified,
}

/// Source of the client address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressSource {
    /// The address is the connection's, and the request has no header of a proxy.
    #[default]
    Connection,
    /// A trusted proxy names the address.
    Proxy,
    /// The address is not known. The request came through the proxy at this address. The proxy is not
    /// trusted, or its header is not readable.
    HiddenByProxy(IpAddr),
}

/// Tokens that a gateway can't verify. The upstream that gets the request verifies them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unverified {
    /// True if the request has an access token whose key is not known here (yet).
    pub token: bool,
    /// True if the request has a cart token.
    pub cart: bool,
}

/// Source of the keys that verify tokens.
pub trait Tokens: Send + Sync + 'static {
    /// Returns the public key with this id, if tokens of the key are still accepted.
    fn key(&self, id: &str, now: Timestamp) -> Option<Arc<DecodingKey>>;
    /// Returns true if the source has all keys of the shop. Otherwise a token of an unknown key may be valid.
    fn is_complete(&self) -> bool;
    /// Returns the cache of tokens whose signature was verified.
    fn verified(&self) -> &VerifiedTokens;
    /// Reads the cart token of the request, if it has one, into the caller.
    fn read_cart(&self, headers: &HeaderMap, caller: &mut Caller) -> Result<(), Problem>;
}

/// Detail of the problem for a caller without an access token and without a cart token. It says how to get
/// one.
pub const TOKEN_OR_CART: &str = "an access token or `X-Cart-Token` is needed here; a guest gets `X-Cart-Token` with \
                                 the response to `POST /api/cart/items`, and sends it with the order";

impl Caller {
    /// Returns true if the access token has the role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Returns true if the access token has the role admin.
    pub fn is_admin(&self) -> bool {
        self.has(Role::Admin)
    }

    /// Returns true if the caller is a process on this machine that uses no proxy. A request with a header of
    /// a proxy never counts as one: its client may be anybody.
    pub fn is_this_machine(&self) -> bool {
        self.address_source == AddressSource::Connection
            && self.address.is_some_and(|address| address.is_loopback())
    }

    /// Returns the client address, or the proxy's address if the client address is hidden.
    pub fn nearest_address(&self) -> Option<IpAddr> {
        match self.address_source {
            AddressSource::HiddenByProxy(proxy) => Some(proxy),
            AddressSource::Connection | AddressSource::Proxy => self.address,
        }
    }

    /// Refuses a caller who has none of the roles.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        self.signed_in()?;
        if roles.iter().any(|role| self.has(*role)) {
            return Ok(());
        }
        Err(Problem::new("forbidden", format!("one of these roles is needed: {roles:?}").to_lowercase()))
    }

    /// Returns the subject of the access token, or refuses a caller without one.
    pub fn signed_in(&self) -> Result<&CustomerId, Problem> {
        self.subject.as_ref().ok_or_else(|| Problem::new("unauthenticated", "an access token is needed here"))
    }

    /// Refuses a caller who has neither an access token nor a cart token.
    pub fn signed_in_or_guest(&self) -> Result<(), Problem> {
        if self.cart.is_some() || self.subject.is_some() {
            return Ok(());
        }
        Err(Problem::new("unauthenticated", TOKEN_OR_CART))
    }

    /// Returns the caller in the form in which events record it.
    pub fn actor(&self) -> Actor {
        let kind = match self.roles.first() {
            Some(Role::Admin) => "admin",
            Some(Role::Service) => "service",
            _ => "customer",
        };
        match (&self.subject, self.cart) {
            (Some(subject), _) => Actor::new(kind, subject.as_str()),
            (None, Some(cart)) => Actor::new("guest", &cart.to_string()),
            (None, None) => Actor::new("guest", "anonymous"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Creates a signed access token. `id` becomes the claim `jti`.
///
/// # Panics
/// Never: claims are plain values, and the key is an Ed25519 key.
pub fn issue(keys: &Keys, grant: Grant<'_>, now: Timestamp, id: Uuid) -> String {
    let ttl = i64::try_from(grant.ttl.as_secs()).unwrap_or(i64::MAX);
    let claims = Claims {
        sub: grant.subject.as_str().to_owned(),
        roles: vec![grant.role],
        iss: ISSUER.to_owned(),
        aud: ISSUER.to_owned(),
        exp: now.as_second().saturating_add(ttl),
        iat: now.as_second(),
        jti: id.to_string(),
        sid: grant.session,
    };
    let tokens = keys.tokens();
    let key = tokens.signing(now);
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims, &key.encoding)
        .expect("claims are plain and the key is an Ed25519 key")
}

/// Returns the caller that the request headers identify. Refuses a token that is present but invalid, even on
/// a route that needs none.
pub fn identify(
    headers: &HeaderMap,
    keys: &dyn Tokens,
    ended_sessions: &EndedSessions,
    now: Timestamp,
) -> Result<Caller, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Caller::default()) };
    let refused = |why: &str| Problem::new("unauthenticated", why.to_owned());
    let text = value.to_str().map_err(|_| refused("the header `Authorization` is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("`Authorization: Bearer …` is expected"));
    }
    let caller = verify(token.trim(), keys, now)?;
    if caller.session.is_some_and(|session| ended_sessions.is_denied(session, now)) {
        return Err(refused("the session has ended: sign in again"));
    }
    Ok(caller)
}

fn verify(token: &str, keys: &dyn Tokens, now: Timestamp) -> Result<Caller, Problem> {
    let refused = |why: &str| Problem::new("unauthenticated", why.to_owned());
    let cached = keys.verified().get(token);
    let is_cached = cached.is_some();
    let key_id = match &cached {
        Some(signed) => signed.key_id.clone(),
        None => key_id(token)?,
    };
    // The key is looked up on every request, because it may have been removed since.
    let Some(key) = keys.key(&key_id, now) else {
        if keys.is_complete() {
            return Err(refused("the token's key is not known"));
        }
        return Ok(Caller { unverified: Unverified { token: true, cart: false }, ..Caller::default() });
    };
    let signed = match cached {
        Some(signed) => signed,
        None => Arc::new(SignedToken { claims: check_signature(token, &key)?, key_id }),
    };
    let claims = &signed.claims;
    let difference_max = i64::try_from(CLOCK_DIFFERENCE_MAX_S).unwrap_or(0);
    if claims.exp.saturating_add(difference_max) <= now.as_second() {
        return Err(refused("the token has expired"));
    }
    if claims.iat.saturating_sub(difference_max) > now.as_second() {
        return Err(refused("the token is not valid yet"));
    }
    let subject = CustomerId::parse(&claims.sub).map_err(|_| refused("the token's subject is malformed"))?;
    let expires_at = Timestamp::from_second(claims.exp).ok();
    let roles = claims.roles.clone();
    let session = claims.sid;
    if !is_cached {
        keys.verified().put(token, signed);
    }
    Ok(Caller { subject: Some(subject), roles, session, expires_at, ..Caller::default() })
}

fn malformed(_: jsonwebtoken::errors::Error) -> Problem {
    Problem::new("unauthenticated", "the token is malformed, or not signed for this shop")
}

/// Returns the id of the key that the token's header names.
fn key_id(token: &str) -> Result<String, Problem> {
    let header = jsonwebtoken::decode_header(token).map_err(malformed)?;
    header.kid.ok_or_else(|| Problem::new("unauthenticated", "the token's key is not known"))
}

/// Verifies the signature, the issuer and the audience of a token and returns its claims. The caller checks
/// the times.
fn check_signature(token: &str, key: &DecodingKey) -> Result<Claims, Problem> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    // `verify` compares the expiry with the shop's clock.
    validation.validate_exp = false;
    Ok(jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(malformed)?.claims)
}

/// Claims of a token whose signature was verified, and the id of its key.
struct SignedToken {
    key_id: String,
    claims: Claims,
}

/// Cache of tokens whose signature was verified, by the hash of the token. The least recently used token is
/// dropped first. Key, expiry and the end of the session are checked on every request all the same.
pub struct VerifiedTokens(Mutex<LruCache<[u8; 32], Arc<SignedToken>>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(VERIFIED_MAX).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl VerifiedTokens {
    /// Locks the cache. The cache is consistent at every moment, so it stays usable after a panic of another
    /// thread.
    fn lock(&self) -> MutexGuard<'_, LruCache<[u8; 32], Arc<SignedToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, token: &str) -> Option<Arc<SignedToken>> {
        self.lock().get(blake3::hash(token.as_bytes()).as_bytes()).cloned()
    }

    fn put(&self, token: &str, signed: Arc<SignedToken>) {
        self.lock().put(*blake3::hash(token.as_bytes()).as_bytes(), signed);
    }
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::noon;

    use super::*;

    fn ada() -> CustomerId {
        CustomerId::parse("ada").unwrap()
    }

    fn keys() -> Keys {
        Keys::open(tempfile::tempdir().unwrap().path()).unwrap()
    }

    fn token(keys: &Keys) -> String {
        let subject = &ada();
        let ttl = Duration::from_mins(1);
        let grant = Grant { subject, role: Role::Admin, ttl, session: Some(Uuid::from_u128(5)) };
        issue(keys, grant, noon(), Uuid::nil())
    }

    #[test]
    fn a_token_of_this_shop_identifies_the_caller() {
        let keys = keys();
        let caller = verify(&token(&keys), &keys, noon()).unwrap();
        assert_eq!((caller.subject, caller.roles), (Some(ada()), vec![Role::Admin]));
    }

    // Proves: edge.invalid-tokens
    #[test]
    fn expired_early_foreign_and_forged_tokens_are_refused() {
        let keys = keys();
        let good = token(&keys);
        let at = |seconds: i64| noon() + jiff::SignedDuration::from_secs(seconds);
        assert!(verify(&good, &keys, at(70)).is_err());
        assert!(verify(&good, &keys, at(-70)).is_err());
        assert!(verify(&token(&self::keys()), &keys, noon()).is_err());
        let (head, signature) = good.rsplit_once('.').unwrap();
        assert!(
            verify(&format!("{head}.{}", signature.chars().rev().collect::<String>()), &keys, noon())
                .is_err()
        );
        assert!(verify(&format!("{head}."), &keys, noon()).is_err());
        assert!(verify("", &keys, noon()).is_err());
        let kid = keys.tokens().statuses(noon())[0].kid.clone();
        let hmac = jsonwebtoken::encode(
            &Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) },
            &serde_json::json!({ "sub": "ada", "roles": ["admin"], "iss": "souk", "aud": "souk", "exp": 9_999_999_999_i64, "iat": 0, "jti": "x" }),
            &jsonwebtoken::EncodingKey::from_secret(kid.as_bytes()),
        );
        assert!(verify(&hmac.unwrap(), &keys, noon()).is_err());
    }

    #[test]
    fn clocks_may_differ_by_at_most_five_seconds() {
        let keys = keys();
        let good = token(&keys);
        let at = |seconds: i64| verify(&good, &keys, noon() + jiff::SignedDuration::from_secs(seconds));
        assert!(at(-5).is_ok() && at(-6).is_err());
        assert!(at(64).is_ok() && at(65).is_err());
    }

    // Proves: sign-in.sign-out
    #[test]
    fn a_token_of_an_ended_session_is_refused_at_once() {
        let keys = keys();
        let ended_sessions = EndedSessions::default();
        let bearer = format!("Bearer {}", token(&keys)).parse().unwrap();
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        assert!(identify(&headers, &keys, &ended_sessions, noon()).is_ok());
        let later = noon() + jiff::SignedDuration::from_mins(1);
        ended_sessions.deny_here(Uuid::from_u128(5), later, noon());
        assert!(identify(&headers, &keys, &ended_sessions, noon()).is_err());
    }

    #[test]
    fn keys_stay_the_same_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::open(folder.path()).unwrap();
        let again = Keys::open(folder.path()).unwrap();
        assert!(verify(&token(&first), &again, noon()).is_ok());
        assert_eq!(first.request_hash, again.request_hash);
    }
}
