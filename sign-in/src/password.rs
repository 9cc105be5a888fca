//! Passwords: what is allowed (NIST SP 800-63B), and how they are kept (argon2id, RFC 9106).

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use zeroize::Zeroizing;

/// Characters of a password, at least.
pub const CHARS_MIN: usize = 12;
/// Characters of a password, at most.
pub const CHARS_MAX: usize = 256;

/// Passwords that many have, lower-cased and without the digits behind them.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// A password as it was typed, overwritten when it is dropped and never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Too short or too long.
    #[error("a password has {CHARS_MIN} to {CHARS_MAX} characters; a few words make a good one")]
    Length,
    /// Whoever guesses tries it first.
    #[error("this password is one of the first that are tried by whoever guesses; take another")]
    Common,
}

impl Password {
    /// Whatever was typed, to be compared.
    pub fn typed(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Whether it may be somebody's from now on.
    pub fn check(&self) -> Result<(), PasswordRefused> {
        if !(CHARS_MIN..=CHARS_MAX).contains(&self.0.chars().count()) {
            return Err(PasswordRefused::Length);
        }
        let lower = Zeroizing::new(self.0.to_lowercase());
        let base = lower.trim_end_matches(|c: char| c.is_ascii_digit());
        let mut chars = lower.chars();
        let first = chars.next();
        let is_one_char = chars.all(|c| Some(c) == first);
        let is_common = [lower.as_str(), base].iter().any(|text| COMMON.contains(text) || is_doubled(text));
        if base.is_empty() || is_one_char || is_common { Err(PasswordRefused::Common) } else { Ok(()) }
    }

    /// Whether it is longer than any password that somebody may have: then it is nobody's.
    pub fn is_too_long(&self) -> bool {
        self.0.len() > CHARS_MAX * 4
    }
}

/// Whether a text is a common password, twice.
fn is_doubled(text: &str) -> bool {
    let half = text.len() / 2;
    text.is_char_boundary(half) && text[..half] == text[half..] && COMMON.contains(&text[..half])
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(password)")
    }
}

/// What comparing a password takes: RFC 9106 with the parameters that OWASP names first for argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl Cost {
    fn argon2(self) -> argon2::Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, 1, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// The rest that makes a hash of another cost take as long as one of this cost; none when it does already.
    fn beyond(self, made: Self) -> Option<Self> {
        let work = |cost: Self| u64::from(cost.memory_kib) * u64::from(cost.passes);
        let rest = work(self).checked_sub(work(made))? / u64::from(self.passes);
        let memory_kib = u32::try_from(rest).ok().filter(|kib| *kib >= Params::MIN_M_COST)?;
        Some(Self { memory_kib, ..self })
    }
}

/// What became of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Whether it is the password.
    pub is_right: bool,
    /// Whether it was kept at less cost than is asked for by now.
    pub is_outdated: bool,
}

/// Makes and compares hashes of passwords, at a cost that takes some ten milliseconds of a core.
#[derive(Clone, Debug)]
pub struct Hashing {
    argon2: Argon2<'static>,
    cost: Cost,
    /// A hash of nothing in particular, compared when there is none, so that both take the same time.
    stand_in: String,
}

/// The cost is not one that argon2 knows, or the system gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("passwords can't be hashed: {0}")]
pub struct HashingFailed(String);

impl Hashing {
    /// Hashes at a cost from now on.
    pub fn new(cost: Cost) -> Result<Self, HashingFailed> {
        let argon2 = cost.argon2().map_err(|error| HashingFailed(error.to_string()))?;
        let mut hashing = Self { argon2, cost, stand_in: String::new() };
        hashing.stand_in = hashing.hash(&Password::typed("a stand-in".to_owned()))?;
        Ok(hashing)
    }

    /// The hash of a password with a salt of its own, as a PHC string.
    pub fn hash(&self, password: &Password) -> Result<String, HashingFailed> {
        let hash = self.argon2.hash_password(password.0.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| HashingFailed(error.to_string()))
    }

    /// Compares a password with a hash, in the same time whether there is one, and whether it was made at this
    /// cost or a lower one.
    pub fn compare(&self, password: &Password, hash: Option<&str>) -> Compared {
        let parsed = PasswordHash::new(hash.unwrap_or(&self.stand_in)).ok();
        let is_equal = parsed
            .as_ref()
            .is_some_and(|parsed| self.argon2.verify_password(password.0.as_bytes(), parsed).is_ok());
        let made_at = parsed.as_ref().and_then(|parsed| Params::try_from(parsed).ok());
        let made_at = made_at.map(|params| Cost { memory_kib: params.m_cost(), passes: params.t_cost() });
        let is_outdated = made_at != Some(self.cost);
        if let Some(rest) = made_at.and_then(|made| self.cost.beyond(made)) {
            // Nothing but its time is of use.
            let _ = rest.argon2().map(|argon2| argon2.hash_password(password.0.as_bytes()));
        }
        Compared { is_right: is_equal && hash.is_some(), is_outdated }
    }
}

/// Too many wait for their password to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many are signing in at the moment")]
pub struct TooManyWait;

/// Makes and compares hashes apart from the threads that serve requests, few at a time.
#[async_trait]
pub trait Passwords: Send + Sync + 'static {
    /// The hash of a password.
    async fn hash(&self, password: Password) -> Result<String, TooManyWait>;

    /// Compares a password with a hash, in the same time whether there is one.
    async fn compare(&self, password: Password, hash: Option<String>) -> Result<Compared, TooManyWait>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned())
    }

    #[test]
    fn long_ones_are_taken_whatever_they_consist_of() {
        for text in ["correct horse battery", "ünïcødé pässwörd", "            x", "qwxzvbnmlkjhg"] {
            assert_eq!(typed(text).check(), Ok(()), "{text}");
        }
        assert_eq!(typed("short one").check(), Err(PasswordRefused::Length));
        assert_eq!(typed(&"ab".repeat(129)).check(), Err(PasswordRefused::Length));
        assert_eq!(typed(&"é".repeat(11)).check(), Err(PasswordRefused::Length));
    }

    #[test]
    fn common_ones_are_refused_also_with_digits_behind_them_or_twice() {
        for text in [
            "password1234",
            "Password2026",
            "PASSWORDPASSWORD",
            "sunshine123456",
            "123456789012",
            "aaaaaaaaaaaa",
        ] {
            assert_eq!(typed(text).check(), Err(PasswordRefused::Common), "{text}");
        }
    }

    #[test]
    fn a_hash_is_of_one_password_and_has_a_salt_of_its_own() {
        let hashing = Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let hash = hashing.hash(&typed("correct horse battery")).unwrap();
        assert_ne!(hashing.hash(&typed("correct horse battery")).unwrap(), hash);
        assert!(hash.starts_with("$argon2id$"));
        let right = hashing.compare(&typed("correct horse battery"), Some(&hash));
        assert_eq!(right, Compared { is_right: true, is_outdated: false });
        assert!(!hashing.compare(&typed("correct horse batterx"), Some(&hash)).is_right);
        assert!(!hashing.compare(&typed("a stand-in"), None).is_right);
        assert!(!hashing.compare(&typed("x"), Some("no hash")).is_right);
    }

    #[test]
    fn a_hash_of_another_cost_is_outdated() {
        let cheap = Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let dear = Hashing::new(Cost { memory_kib: 128, passes: 1 }).unwrap();
        let hash = cheap.hash(&typed("correct horse battery")).unwrap();
        assert!(dear.compare(&typed("correct horse battery"), Some(&hash)).is_outdated);
        assert!(!cheap.compare(&typed("correct horse battery"), Some(&hash)).is_outdated);
        let hash = dear.hash(&typed("correct horse battery")).unwrap();
        assert!(cheap.compare(&typed("correct horse battery"), Some(&hash)).is_outdated);
    }

    #[test]
    fn a_hash_of_less_cost_takes_as_long_as_one_of_more() {
        let now = Cost { memory_kib: 19_456, passes: 2 };
        let of = |memory_kib, passes| Cost { memory_kib, passes };
        assert_eq!(now.beyond(of(9_728, 2)), Some(of(9_728, 2)));
        assert_eq!(now.beyond(of(19_456, 1)), Some(of(9_728, 2)));
        assert_eq!(now.beyond(of(7_168, 5)), Some(of(1_536, 2)));
        assert_eq!(now.beyond(now), None);
        assert_eq!(now.beyond(of(65_536, 3)), None);
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", typed("correct horse battery")), "(password)");
    }
}
