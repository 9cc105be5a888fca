//! Who asks: `EdDSA` tokens with roles.

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

use crate::denials::Denials;
use crate::keys::Keys;
use crate::problem::Problem;

/// Issuer and audience of the shop's tokens.
const ISSUER: &str = "souk";
/// Tokens that are remembered as verified.
const VERIFIED_MAX: usize = 10_000;
/// Seconds by which clocks may differ.
const LEEWAY_S: u64 = 5;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "customer")]
pub enum Role {
    /// Buys.
    Customer,
    /// Runs the shop.
    Admin,
    /// Another system.
    Service,
}

impl Role {
    /// As in tokens.
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
    /// The session it belongs to; none for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
}

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// Whose it is.
    pub subject: &'a CustomerId,
    /// What it allows.
    pub role: Role,
    /// How long it lasts.
    pub ttl: Duration,
    /// The session it belongs to; none for machines.
    pub session: Option<Uuid>,
}

/// Whoever sent a request.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The token's subject; none without a token.
    pub subject: Option<CustomerId>,
    /// The token's roles.
    pub roles: Vec<Role>,
    /// The session the token belongs to; none for machines.
    pub session: Option<Uuid>,
    /// When the token expires.
    pub expires_at: Option<Timestamp>,
    /// The guest cart of the cart token.
    pub cart: Option<CartId>,
    /// The client's address, where it is known.
    pub address: Option<IpAddr>,
    /// The way it is known, or why it is not.
    pub address_source: AddressSource,
    /// What they hold that can't be judged here.
    pub unread: Unread,
}

/// The way a client's address is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressSource {
    /// It is the connection's, and the request shows no proxy.
    #[default]
    Connection,
    /// A trusted proxy names it.
    Proxy,
    /// It is not known. The request comes through a proxy at this address, which does not name its client in words
    /// that can be read, or which nobody says to trust.
    Behind(IpAddr),
}

/// What only another process can judge: the one that a gateway hands the request to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unread {
    /// A token whose key is not known here, perhaps not yet.
    pub token: bool,
    /// A cart's token.
    pub cart: bool,
}

/// What tells whose a token is.
pub trait Tokens: Send + Sync + 'static {
    /// The public key with this id, while its tokens are taken.
    fn key(&self, id: &str, now: Timestamp) -> Option<Arc<DecodingKey>>;
    /// Whether these are all the keys there are; else a token of another may be good.
    fn are_all(&self) -> bool;
    /// Tokens whose signature was checked.
    fn verified(&self) -> &Verified;
    /// Puts the cart of the request's token, if it has one, into the caller.
    fn read_cart(&self, headers: &HeaderMap, caller: &mut Caller) -> Result<(), Problem>;
}

/// The refusal of a caller who shows neither a token nor a guest's cart, with the way to get one.
pub const TOKEN_OR_CART: &str = "a token is needed here, or `X-Cart-Token`: a guest gets it with the answer to \
                                 `POST /api/cart/items`, and sends it with the order";

impl Caller {
    /// Whether the token has a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the token is an admin's.
    pub fn is_admin(&self) -> bool {
        self.has(Role::Admin)
    }

    /// Returns true for a process of this machine that asks without a proxy. A request that shows a proxy is never
    /// one, whatever address it names: its client may be anybody.
    pub fn is_this_machine(&self) -> bool {
        self.address_source == AddressSource::Connection
            && self.address.is_some_and(|address| address.is_loopback())
    }

    /// The client's address, or that of the proxy it is behind.
    pub fn nearest_address(&self) -> Option<IpAddr> {
        match self.address_source {
            AddressSource::Behind(proxy) => Some(proxy),
            AddressSource::Connection | AddressSource::Proxy => self.address,
        }
    }

    /// Refuses everybody but those with one of the roles.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        self.signed_in()?;
        if roles.iter().any(|role| self.has(*role)) {
            return Ok(());
        }
        Err(Problem::new("forbidden", format!("one of these roles is needed: {roles:?}").to_lowercase()))
    }

    /// The subject, or a refusal.
    pub fn signed_in(&self) -> Result<&CustomerId, Problem> {
        self.subject.as_ref().ok_or_else(|| Problem::new("unauthenticated", "a token is needed here"))
    }

    /// Refuses a caller who is neither signed in nor shows a guest's cart.
    pub fn signed_in_or_guest(&self) -> Result<(), Problem> {
        if self.cart.is_some() || self.subject.is_some() {
            return Ok(());
        }
        Err(Problem::new("unauthenticated", TOKEN_OR_CART))
    }

    /// The caller as events name it.
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

/// Makes a token.
///
/// # Panics
/// Never: claims are plain values and the key was made for this algorithm.
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

/// Who the headers say asks. A token that is there and invalid is refused, even where none is needed.
pub fn identify(
    headers: &HeaderMap,
    keys: &dyn Tokens,
    denials: &Denials,
    now: Timestamp,
) -> Result<Caller, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Caller::default()) };
    let refused = |why: &str| Problem::new("unauthenticated", why.to_owned());
    let text = value.to_str().map_err(|_| refused("the header `Authorization` is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("`Authorization: Bearer …` is wanted"));
    }
    let caller = verify(token.trim(), keys, now)?;
    if caller.session.is_some_and(|session| denials.is_denied(session, now)) {
        return Err(refused("the session has ended: sign in again"));
    }
    Ok(caller)
}

fn verify(token: &str, keys: &dyn Tokens, now: Timestamp) -> Result<Caller, Problem> {
    let refused = |why: &str| Problem::new("unauthenticated", why.to_owned());
    let known = keys.verified().get(token);
    let is_known = known.is_some();
    let key_id = match &known {
        Some(signed) => signed.key_id.clone(),
        None => key_id(token)?,
    };
    // Looked up each time: a key may have gone since.
    let Some(key) = keys.key(&key_id, now) else {
        if keys.are_all() {
            return Err(refused("the token's key is not known"));
        }
        return Ok(Caller { unread: Unread { token: true, cart: false }, ..Caller::default() });
    };
    let signed = match known {
        Some(signed) => signed,
        None => Arc::new(Signed { claims: check_signature(token, &key)?, key_id }),
    };
    let claims = &signed.claims;
    let leeway = i64::try_from(LEEWAY_S).unwrap_or(0);
    if claims.exp.saturating_add(leeway) <= now.as_second() {
        return Err(refused("the token has expired"));
    }
    if claims.iat.saturating_sub(leeway) > now.as_second() {
        return Err(refused("the token is not valid yet"));
    }
    let subject = CustomerId::parse(&claims.sub).map_err(|_| refused("the token's subject is malformed"))?;
    let expires_at = Timestamp::from_second(claims.exp).ok();
    let (roles, session) = (claims.roles.clone(), claims.sid);
    if !is_known {
        keys.verified().put(token, signed);
    }
    Ok(Caller { subject: Some(subject), roles, session, expires_at, ..Caller::default() })
}

fn malformed(_: jsonwebtoken::errors::Error) -> Problem {
    Problem::new("unauthenticated", "the token is malformed, or not signed for this shop")
}

/// Which key a token says it is signed with.
fn key_id(token: &str) -> Result<String, Problem> {
    let header = jsonwebtoken::decode_header(token).map_err(malformed)?;
    header.kid.ok_or_else(|| Problem::new("unauthenticated", "the token's key is not known"))
}

/// What a token says that was signed for this shop; whether it is in time is not looked at.
fn check_signature(token: &str, key: &DecodingKey) -> Result<Claims, Problem> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    // Time comes from the shop's clock, below.
    validation.validate_exp = false;
    Ok(jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(malformed)?.claims)
}

/// What a token says, and the key it is signed with.
struct Signed {
    key_id: String,
    claims: Claims,
}

/// Tokens whose signature was checked, the least recently shown of which go first. Key, expiry and denial are
/// looked at each time.
pub struct Verified(Mutex<LruCache<[u8; 32], Arc<Signed>>>);

impl Default for Verified {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(VERIFIED_MAX).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl Verified {
    /// A cache is whole at every moment, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, LruCache<[u8; 32], Arc<Signed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, token: &str) -> Option<Arc<Signed>> {
        self.lock().get(blake3::hash(token.as_bytes()).as_bytes()).cloned()
    }

    fn put(&self, token: &str, signed: Arc<Signed>) {
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
        let (subject, ttl) = (&ada(), Duration::from_mins(1));
        let grant = Grant { subject, role: Role::Admin, ttl, session: Some(Uuid::from_u128(5)) };
        issue(keys, grant, noon(), Uuid::nil())
    }

    #[test]
    fn a_token_of_this_shop_says_who_asks() {
        let keys = keys();
        let caller = verify(&token(&keys), &keys, noon()).unwrap();
        assert_eq!((caller.subject, caller.roles), (Some(ada()), vec![Role::Admin]));
    }

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
    fn clocks_may_differ_by_five_seconds_and_no_more() {
        let keys = keys();
        let good = token(&keys);
        let at = |seconds: i64| verify(&good, &keys, noon() + jiff::SignedDuration::from_secs(seconds));
        assert!(at(-5).is_ok() && at(-6).is_err());
        assert!(at(64).is_ok() && at(65).is_err());
    }

    #[test]
    fn a_token_of_a_session_that_has_ended_is_refused_at_once() {
        let (keys, denials) = (keys(), Denials::default());
        let bearer = format!("Bearer {}", token(&keys)).parse().unwrap();
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        assert!(identify(&headers, &keys, &denials, noon()).is_ok());
        let later = noon() + jiff::SignedDuration::from_mins(1);
        denials.deny_here(Uuid::from_u128(5), later, noon());
        assert!(identify(&headers, &keys, &denials, noon()).is_err());
    }

    #[test]
    fn keys_stay_the_same_from_start_to_start() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::open(folder.path()).unwrap();
        let again = Keys::open(folder.path()).unwrap();
        assert!(verify(&token(&first), &again, noon()).is_ok());
        assert_eq!(first.request_hash, again.request_hash);
    }
}
