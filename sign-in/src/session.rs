//! Sessions. A session is a series of refresh tokens: each token can be exchanged for the next one.
//!
//! A token works once. Within ten seconds after its first use it works a second time, for a client that lost
//! the response. Any other repeated use means that somebody else has the token too, and ends the session.
//!
//! A session that starts at an identity provider begins without a token. The browser gets a code, which can
//! be exchanged for the first token once, within a minute. A second use of the code within that minute ends
//! the session.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use souk_domain::CustomerId;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// Lifetime of an access token.
pub const ACCESS_TTL: SignedDuration = SignedDuration::from_mins(10);
/// Time after which an unused session ends.
pub const IDLE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longest lifetime of a session.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(180 * 24);
/// Lifetime of the code of a sign-in. It is short, because the code is part of a URL, and browsers store
/// URLs.
pub const CODE_TTL: SignedDuration = SignedDuration::from_mins(1);
/// Time within which a used token works a second time.
const REPEAT_MAX: SignedDuration = SignedDuration::from_secs(10);
/// Largest number of valid tokens in a session. There is more than one only if a client repeated a request.
const LIVE_MAX: usize = 4;

/// Length of a token's secret, in bytes.
const SECRET_BYTES: usize = 32;
/// Length of a token's keyed hash, in bytes.
const MAC_BYTES: usize = 16;

/// Hash under which the secret of a token is stored.
pub type SecretHash = [u8; 32];

/// A refresh token: the id of its session and a random secret, authenticated by a keyed hash. The keyed hash
/// keeps invented tokens from counting as a repeated use. The code of a sign-in has the same form, with
/// another key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Id of the token's session.
    pub session: Uuid,
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// Creates a token with a random secret.
    pub fn make(session: Uuid) -> Result<Self, getrandom::Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Self { session, secret })
    }

    /// Returns the text that the client gets.
    pub fn encode(&self, key: &[u8; 32]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.session.as_bytes()[..], &self.secret, &self.mac(key)].concat())
    }

    /// Parses the text of a token. Returns `None` if this shop did not issue it.
    pub fn decode(text: &str, key: &[u8; 32]) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (secret, mac) = rest.split_first_chunk::<SECRET_BYTES>()?;
        let token = Self { session: Uuid::from_bytes(*session), secret: *secret };
        bool::from(token.mac(key).as_slice().ct_eq(mac)).then_some(token)
    }

    /// Returns the hash under which the token is stored.
    pub fn hash(&self) -> SecretHash {
        *blake3::hash(&self.secret).as_bytes()
    }

    fn mac(&self, key: &[u8; 32]) -> [u8; MAC_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(self.session.as_bytes()).update(&self.secret);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&hasher.finalize().as_bytes()[..MAC_BYTES]);
        mac
    }
}

/// A session, from sign-in to sign-out, with its refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Id of the session: the `sid` of its access tokens.
    pub id: Uuid,
    /// Account of the session.
    pub user: CustomerId,
    /// Time of the sign-in.
    pub opened_at: Timestamp,
    /// Time at which the session ends if it is not used before.
    pub expires_at: Timestamp,
    /// Time at which the session was ended, by a sign-out or by a repeated token.
    pub revoked_at: Option<Timestamp>,
    /// Hash of the code for the first token. `None` after its use, and for a sign-in with a password.
    #[serde(default)]
    code: Option<SecretHash>,
    live: Vec<SecretHash>,
    used: Vec<UsedToken>,
}

/// A token that was used within the last ten seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UsedToken {
    hash: SecretHash,
    at: Timestamp,
    is_repeated: bool,
}

/// Reason why a token or code is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The session has ended.
    Ended,
    /// The token was used before, so the session ends now.
    UsedBefore,
}

impl Session {
    /// Begins a session with a first token.
    pub fn open(id: Uuid, user: CustomerId, first: SecretHash, now: Timestamp) -> Self {
        Self {
            id,
            user,
            opened_at: now,
            expires_at: now + IDLE_MAX,
            revoked_at: None,
            code: None,
            live: vec![first],
            used: Vec::new(),
        }
    }

    /// Begins a session without a token. [`Session::exchange`] adds the first one. If the code is not used in
    /// time, the session expires.
    pub fn open_by_code(id: Uuid, user: CustomerId, code: SecretHash, now: Timestamp) -> Self {
        Self {
            id,
            user,
            opened_at: now,
            expires_at: now + CODE_TTL,
            revoked_at: None,
            code: Some(code),
            live: Vec::new(),
            used: Vec::new(),
        }
    }

    /// Returns true if the session has expired or was ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some() || now >= self.expires_at
    }

    /// Exchanges the code for the first token. The caller must also store the session after a refusal, because
    /// a refusal may end it.
    pub fn exchange(
        &mut self,
        code: SecretHash,
        first: SecretHash,
        now: Timestamp,
    ) -> Result<(), TokenRefusal> {
        if self.is_over(now) || now.duration_since(self.opened_at) >= CODE_TTL {
            return Err(TokenRefusal::Ended);
        }
        if self.code.take() != Some(code) {
            self.revoke(now);
            return Err(TokenRefusal::UsedBefore);
        }
        self.live.push(first);
        self.expires_at = now + IDLE_MAX;
        Ok(())
    }

    /// Exchanges a token for the next one. The caller must also store the session after a refusal, because a
    /// refusal may end it.
    pub fn refresh(
        &mut self,
        token: SecretHash,
        next: SecretHash,
        now: Timestamp,
    ) -> Result<(), TokenRefusal> {
        if self.is_over(now) {
            return Err(TokenRefusal::Ended);
        }
        self.used.retain(|used| now.duration_since(used.at) <= REPEAT_MAX);
        if let Some(index) = self.live.iter().position(|live| *live == token) {
            self.live.remove(index);
            self.used.push(UsedToken { hash: token, at: now, is_repeated: false });
        } else if let Some(used) = self.used.iter_mut().find(|used| used.hash == token && !used.is_repeated) {
            used.is_repeated = true;
        } else {
            self.revoke(now);
            return Err(TokenRefusal::UsedBefore);
        }
        if self.live.len() == LIVE_MAX {
            self.live.remove(0);
        }
        self.live.push(next);
        self.expires_at = (now + IDLE_MAX).min(self.opened_at + SESSION_MAX);
        Ok(())
    }

    /// Ends the session.
    pub fn revoke(&mut self, now: Timestamp) {
        self.revoked_at = self.revoked_at.or(Some(now));
        self.code = None;
        self.live.clear();
        self.used.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [3; 32];

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        noon() + SignedDuration::from_secs(seconds)
    }

    fn hash(n: u8) -> SecretHash {
        [n; 32]
    }

    fn session() -> Session {
        Session::open(Uuid::nil(), CustomerId::parse("ada").unwrap(), hash(1), noon())
    }

    #[test]
    fn a_token_can_be_decoded_and_a_forged_one_can_not() {
        let token = RefreshToken::make(Uuid::from_u128(7)).unwrap();
        let text = token.encode(&KEY);
        let read = RefreshToken::decode(&text, &KEY).unwrap();
        assert_eq!((read.session, read.hash()), (token.session, token.hash()));
        assert!(RefreshToken::decode(&text, &[4; 32]).is_none());
        for forged in ["", "x", &text[..20], &format!("{text}AA"), &"A".repeat(100_000)] {
            assert!(RefreshToken::decode(forged, &KEY).is_none());
        }
    }

    // Proves: sign-in.refresh-rotation
    #[test]
    fn each_token_can_be_exchanged_for_the_next() {
        let mut session = session();
        assert_eq!(session.refresh(hash(1), hash(2), at(600)), Ok(()));
        assert_eq!(session.refresh(hash(2), hash(3), at(1200)), Ok(()));
        assert!(!session.is_over(at(1200)));
    }

    // Proves: sign-in.refresh-grace
    #[test]
    fn a_used_token_works_a_second_time_within_ten_seconds_and_both_new_tokens_work() {
        let mut session = session();
        session.refresh(hash(1), hash(2), at(0)).unwrap();
        assert_eq!(session.refresh(hash(1), hash(3), at(10)), Ok(()));
        assert_eq!(session.refresh(hash(2), hash(4), at(11)), Ok(()));
        assert_eq!(session.refresh(hash(3), hash(5), at(12)), Ok(()));
        assert_eq!(session.refresh(hash(1), hash(6), at(9)), Err(TokenRefusal::UsedBefore));
        assert_eq!(session.refresh(hash(4), hash(7), at(13)), Err(TokenRefusal::Ended));
    }

    // Proves: sign-in.stolen-refresh-token
    #[test]
    fn a_token_used_again_after_ten_seconds_ends_the_session() {
        let mut session = session();
        session.refresh(hash(1), hash(2), at(0)).unwrap();
        assert_eq!(session.refresh(hash(1), hash(3), at(11)), Err(TokenRefusal::UsedBefore));
        assert_eq!(session.revoked_at, Some(at(11)));
        assert_eq!(session.refresh(hash(2), hash(4), at(12)), Err(TokenRefusal::Ended));
    }

    fn by_code() -> Session {
        Session::open_by_code(Uuid::nil(), CustomerId::parse("ada").unwrap(), hash(9), noon())
    }

    #[test]
    fn a_code_gives_the_first_token_once_within_a_minute() {
        let mut session = by_code();
        assert_eq!(session.exchange(hash(9), hash(1), at(59)), Ok(()));
        assert_eq!(session.refresh(hash(1), hash(2), at(3600)), Ok(()));
        assert!(by_code().is_over(at(60)), "the code was not used");
        assert_eq!(by_code().exchange(hash(9), hash(1), at(60)), Err(TokenRefusal::Ended));
        assert_eq!(by_code().exchange(hash(8), hash(1), at(1)), Err(TokenRefusal::UsedBefore));
    }

    #[test]
    fn a_code_used_twice_within_its_minute_ends_the_session_and_later_it_does_not() {
        let mut session = by_code();
        session.exchange(hash(9), hash(1), at(1)).unwrap();
        let mut later = session.clone();
        assert_eq!(session.exchange(hash(9), hash(2), at(59)), Err(TokenRefusal::UsedBefore));
        assert!(session.is_over(at(59)));
        assert_eq!(later.exchange(hash(9), hash(2), at(60)), Err(TokenRefusal::Ended));
        assert!(!later.is_over(at(60)), "a URL from the browser history must not end a session");
    }

    #[test]
    fn a_session_ends_after_thirty_unused_days_and_after_half_a_year_at_the_latest() {
        let day = 24 * 3600;
        assert!(session().is_over(at(30 * day)) && !session().is_over(at(30 * day - 1)));
        let mut used = session();
        for n in 1..=200_u8 {
            let token = used.live[0];
            let next = [n; 32].map(|byte| byte ^ 0x80);
            if used.refresh(token, next, at(i64::from(n) * day)).is_err() {
                assert_eq!(n, 180);
                return;
            }
        }
        panic!("the session never ends");
    }

    #[test]
    fn a_clock_that_steps_back_ends_no_session() {
        let mut session = session();
        session.refresh(hash(1), hash(2), at(100)).unwrap();
        assert_eq!(session.refresh(hash(2), hash(3), at(40)), Ok(()));
        assert_eq!(session.refresh(hash(3), hash(4), at(101)), Ok(()));
    }
}
