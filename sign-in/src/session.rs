//! Sessions: a family of refresh tokens, each of which is good for the next.
//!
//! A token is used once. Used a second time within ten seconds it works once more, for a client whose
//! answer was lost; after that somebody else has it too, and the family ends.
//!
//! A session that a browser brings back from an identity provider begins without a token: the first is given for
//! a code, once, within a minute. A second use of the code within that minute ends the family.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use souk_domain::CustomerId;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// How long an access token lasts.
pub const ACCESS_TTL: SignedDuration = SignedDuration::from_mins(10);
/// How long a session lasts without being used.
pub const IDLE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a session lasts at most.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(180 * 24);
/// Lifetime of the code of a sign-in: short, since it stands in an address, and browsers keep addresses.
pub const CODE_TTL: SignedDuration = SignedDuration::from_mins(1);
/// How long a used token works once more.
const REPEAT_MAX: SignedDuration = SignedDuration::from_secs(10);
/// Tokens of a family that are good at once: more than one only when a client repeated itself.
const LIVE_MAX: usize = 4;

/// Bytes of a token's secret and of its keyed hash.
const SECRET_BYTES: usize = 32;
const MAC_BYTES: usize = 16;

/// What a secret is kept as.
pub type SecretHash = [u8; 32];

/// A refresh token: its family and a secret, under a keyed hash, so that what nobody was given never
/// counts as used twice. The code of a sign-in has the same form, under another key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Its family.
    pub family: Uuid,
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// A new one.
    pub fn make(family: Uuid) -> Result<Self, getrandom::Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Self { family, secret })
    }

    /// As its owner holds it.
    pub fn encode(&self, key: &[u8; 32]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.family.as_bytes()[..], &self.secret, &self.mac(key)].concat())
    }

    /// Reads one; none when this shop didn't give it out.
    pub fn decode(text: &str, key: &[u8; 32]) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (family, rest) = bytes.split_first_chunk::<16>()?;
        let (secret, mac) = rest.split_first_chunk::<SECRET_BYTES>()?;
        let token = Self { family: Uuid::from_bytes(*family), secret: *secret };
        bool::from(token.mac(key).as_slice().ct_eq(mac)).then_some(token)
    }

    /// What it is kept as.
    pub fn hash(&self) -> SecretHash {
        *blake3::hash(&self.secret).as_bytes()
    }

    fn mac(&self, key: &[u8; 32]) -> [u8; MAC_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(self.family.as_bytes()).update(&self.secret);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&hasher.finalize().as_bytes()[..MAC_BYTES]);
        mac
    }
}

/// A session, from signing in to signing out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Its id: the `sid` of its access tokens.
    pub id: Uuid,
    /// Whose it is.
    pub user: CustomerId,
    /// When they signed in.
    pub opened_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// The code that its first token is given for, until it is used.
    #[serde(default)]
    code: Option<SecretHash>,
    live: Vec<SecretHash>,
    used: Vec<Used>,
}

/// A token that was used within the last seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    hash: SecretHash,
    at: Timestamp,
    is_repeated: bool,
}

/// Why a token gives no new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The session has ended.
    Ended,
    /// The token was used before: the session ends now.
    UsedBefore,
}

impl Family {
    /// Begins with a first token.
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

    /// Begins without a token: [`Family::exchange`] gives the first. It ends by itself when nobody asks for it.
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

    /// Whether it has ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some() || now >= self.expires_at
    }

    /// Takes the code for the first token. A refusal may end the family: it has to be kept, too.
    pub fn exchange(&mut self, code: SecretHash, first: SecretHash, now: Timestamp) -> Result<(), Refused> {
        if self.is_over(now) || now.duration_since(self.opened_at) >= CODE_TTL {
            return Err(Refused::Ended);
        }
        if self.code.take() != Some(code) {
            self.revoke(now);
            return Err(Refused::UsedBefore);
        }
        self.live.push(first);
        self.expires_at = now + IDLE_MAX;
        Ok(())
    }

    /// Takes a token for the next. A refusal may end the family: it has to be kept, too.
    pub fn refresh(&mut self, token: SecretHash, next: SecretHash, now: Timestamp) -> Result<(), Refused> {
        if self.is_over(now) {
            return Err(Refused::Ended);
        }
        self.used.retain(|used| now.duration_since(used.at) <= REPEAT_MAX);
        if let Some(place) = self.live.iter().position(|live| *live == token) {
            self.live.remove(place);
            self.used.push(Used { hash: token, at: now, is_repeated: false });
        } else if let Some(used) = self.used.iter_mut().find(|used| used.hash == token && !used.is_repeated) {
            used.is_repeated = true;
        } else {
            self.revoke(now);
            return Err(Refused::UsedBefore);
        }
        if self.live.len() == LIVE_MAX {
            self.live.remove(0);
        }
        self.live.push(next);
        self.expires_at = (now + IDLE_MAX).min(self.opened_at + SESSION_MAX);
        Ok(())
    }

    /// Ends it.
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

    fn family() -> Family {
        Family::open(Uuid::nil(), CustomerId::parse("ada").unwrap(), hash(1), noon())
    }

    #[test]
    fn a_token_is_read_back_and_forged_ones_are_not() {
        let token = RefreshToken::make(Uuid::from_u128(7)).unwrap();
        let text = token.encode(&KEY);
        let read = RefreshToken::decode(&text, &KEY).unwrap();
        assert_eq!((read.family, read.hash()), (token.family, token.hash()));
        assert!(RefreshToken::decode(&text, &[4; 32]).is_none());
        for forged in ["", "x", &text[..20], &format!("{text}AA"), &"A".repeat(100_000)] {
            assert!(RefreshToken::decode(forged, &KEY).is_none());
        }
    }

    #[test]
    fn each_token_is_good_for_the_next() {
        let mut family = family();
        assert_eq!(family.refresh(hash(1), hash(2), at(600)), Ok(()));
        assert_eq!(family.refresh(hash(2), hash(3), at(1200)), Ok(()));
        assert!(!family.is_over(at(1200)));
    }

    #[test]
    fn a_used_token_works_once_more_within_ten_seconds_and_both_answers_are_good() {
        let mut family = family();
        family.refresh(hash(1), hash(2), at(0)).unwrap();
        assert_eq!(family.refresh(hash(1), hash(3), at(10)), Ok(()));
        assert_eq!(family.refresh(hash(2), hash(4), at(11)), Ok(()));
        assert_eq!(family.refresh(hash(3), hash(5), at(12)), Ok(()));
        assert_eq!(family.refresh(hash(1), hash(6), at(9)), Err(Refused::UsedBefore));
        assert_eq!(family.refresh(hash(4), hash(7), at(13)), Err(Refused::Ended));
    }

    #[test]
    fn a_used_token_ends_the_family_later() {
        let mut family = family();
        family.refresh(hash(1), hash(2), at(0)).unwrap();
        assert_eq!(family.refresh(hash(1), hash(3), at(11)), Err(Refused::UsedBefore));
        assert_eq!(family.revoked_at, Some(at(11)));
        assert_eq!(family.refresh(hash(2), hash(4), at(12)), Err(Refused::Ended));
    }

    fn by_code() -> Family {
        Family::open_by_code(Uuid::nil(), CustomerId::parse("ada").unwrap(), hash(9), noon())
    }

    #[test]
    fn a_code_gives_the_first_token_once_within_a_minute() {
        let mut family = by_code();
        assert_eq!(family.exchange(hash(9), hash(1), at(59)), Ok(()));
        assert_eq!(family.refresh(hash(1), hash(2), at(3600)), Ok(()));
        assert!(by_code().is_over(at(60)), "nobody asked for its tokens");
        assert_eq!(by_code().exchange(hash(9), hash(1), at(60)), Err(Refused::Ended));
        assert_eq!(by_code().exchange(hash(8), hash(1), at(1)), Err(Refused::UsedBefore));
    }

    #[test]
    fn a_code_that_comes_twice_within_its_minute_ends_the_session_and_later_it_does_not() {
        let mut family = by_code();
        family.exchange(hash(9), hash(1), at(1)).unwrap();
        let mut later = family.clone();
        assert_eq!(family.exchange(hash(9), hash(2), at(59)), Err(Refused::UsedBefore));
        assert!(family.is_over(at(59)));
        assert_eq!(later.exchange(hash(9), hash(2), at(60)), Err(Refused::Ended));
        assert!(!later.is_over(at(60)), "an address that a browser kept ends no session");
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_after_half_a_year_at_the_latest() {
        let day = 24 * 3600;
        assert!(family().is_over(at(30 * day)) && !family().is_over(at(30 * day - 1)));
        let mut used = family();
        for n in 1..=200_u8 {
            let (token, next) = (used.live[0], [n; 32].map(|byte| byte ^ 0x80));
            if used.refresh(token, next, at(i64::from(n) * day)).is_err() {
                assert_eq!(n, 180);
                return;
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_clock_that_steps_back_ends_no_session() {
        let mut family = family();
        family.refresh(hash(1), hash(2), at(100)).unwrap();
        assert_eq!(family.refresh(hash(2), hash(3), at(40)), Ok(()));
        assert_eq!(family.refresh(hash(3), hash(4), at(101)), Ok(()));
    }
}
