//! Passwords: the rules for new ones (NIST SP 800-63B), and their hashes (argon2id, RFC 9106).
//!
//! A comparison takes as long for an account that does not exist or has no password as for other accounts. So
//! its duration does not reveal which accounts exist.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use zeroize::Zeroizing;

/// Smallest length of a password, in characters.
pub const CHARS_MIN: usize = 12;
/// Largest length of a password, in characters.
pub const CHARS_MAX: usize = 256;

/// Common passwords in lower case, without trailing digits.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// A password as the user typed it. `Debug` does not show it, and its memory is overwritten when it is
/// dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Reason why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// The password is too short or too long.
    #[error("a password has {CHARS_MIN} to {CHARS_MAX} characters; a few words make a good one")]
    Length,
    /// The password is common, so an attacker tries it first.
    #[error("this password is common and easy to guess; choose another one")]
    Common,
}

impl Password {
    /// Wraps typed text, without checking it.
    pub fn typed(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Checks the rules for a new password.
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

    /// Returns true if the text is longer than any allowed password, so it can't be the password of any
    /// account.
    pub fn is_too_long(&self) -> bool {
        self.0.len() > CHARS_MAX * 4
    }
}

/// Returns true if the text is a common password written twice.
fn is_doubled(text: &str) -> bool {
    let half = text.len() / 2;
    text.is_char_boundary(half) && text[..half] == text[half..] && COMMON.contains(&text[..half])
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(password)")
    }
}

/// Cost of hashing or comparing a password. The default is the first recommendation of OWASP for argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Number of passes over the memory.
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

    /// Returns the cost of an extra hash. A comparison at the lower cost `used`, together with this hash,
    /// takes as long as a comparison at this cost. Returns `None` if no extra hash is needed.
    fn extra_over(self, used: Self) -> Option<Self> {
        let work = |cost: Self| u64::from(cost.memory_kib) * u64::from(cost.passes);
        let extra = work(self).checked_sub(work(used))? / u64::from(self.passes);
        let memory_kib = u32::try_from(extra).ok().filter(|kib| *kib >= Params::MIN_M_COST)?;
        Some(Self { memory_kib, ..self })
    }
}

/// Result of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// True if the password is correct.
    pub is_right: bool,
    /// True if the hash was made at another cost than the current one, so that it should be replaced.
    pub is_outdated: bool,
}

/// Hashes and compares passwords at a fixed cost. With the default cost, each call takes some tens of
/// milliseconds.
#[derive(Clone, Debug)]
pub struct Hashing {
    argon2: Argon2<'static>,
    cost: Cost,
    /// Hash that is used if the account has none, so that both cases take the same time.
    dummy_hash: String,
}

/// Error: argon2 does not support the cost, or the system provides no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("passwords can't be hashed: {0}")]
pub struct HashingFailed(String);

impl Hashing {
    /// Creates a hasher with a cost.
    pub fn new(cost: Cost) -> Result<Self, HashingFailed> {
        let argon2 = cost.argon2().map_err(|error| HashingFailed(error.to_string()))?;
        let mut hashing = Self { argon2, cost, dummy_hash: String::new() };
        hashing.dummy_hash = hashing.hash(&Password::typed("a dummy password".to_owned()))?;
        Ok(hashing)
    }

    /// Returns the hash of a password with a new random salt, as a PHC string.
    pub fn hash(&self, password: &Password) -> Result<String, HashingFailed> {
        let hash = self.argon2.hash_password(password.0.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| HashingFailed(error.to_string()))
    }

    /// Compares a password with a hash. Takes the same time if there is no hash, or if the hash was made at a
    /// lower cost.
    pub fn compare(&self, password: &Password, hash: Option<&str>) -> Comparison {
        let parsed = PasswordHash::new(hash.unwrap_or(&self.dummy_hash)).ok();
        let is_equal = parsed
            .as_ref()
            .is_some_and(|parsed| self.argon2.verify_password(password.0.as_bytes(), parsed).is_ok());
        let params = parsed.as_ref().and_then(|parsed| Params::try_from(parsed).ok());
        let used_cost = params.map(|params| Cost { memory_kib: params.m_cost(), passes: params.t_cost() });
        let is_outdated = used_cost != Some(self.cost);
        if let Some(extra) = used_cost.and_then(|used| self.cost.extra_over(used)) {
            // This hash is not used. Only the time that it takes matters.
            let _ = extra.argon2().map(|argon2| argon2.hash_password(password.0.as_bytes()));
        }
        Comparison { is_right: is_equal && hash.is_some(), is_outdated }
    }
}

/// Error: too many callers are waiting for their password to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins are in progress at the moment")]
pub struct TooManyWaiting;

/// Port that hashes and compares passwords on its own threads. Only a few run at the same time, so that
/// other requests are not delayed.
#[async_trait]
pub trait Passwords: Send + Sync + 'static {
    /// Returns the hash of a password, as a PHC string.
    async fn hash(&self, password: Password) -> Result<String, TooManyWaiting>;

    /// Compares a password with a hash. Takes the same time if there is no hash.
    async fn compare(&self, password: Password, hash: Option<String>) -> Result<Comparison, TooManyWaiting>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned())
    }

    #[test]
    fn a_long_password_may_contain_any_characters() {
        for text in ["correct horse battery", "ünïcødé pässwörd", "            x", "qwxzvbnmlkjhg"] {
            assert_eq!(typed(text).check(), Ok(()), "{text}");
        }
        assert_eq!(typed("short one").check(), Err(PasswordRefused::Length));
        assert_eq!(typed(&"ab".repeat(129)).check(), Err(PasswordRefused::Length));
        assert_eq!(typed(&"é".repeat(11)).check(), Err(PasswordRefused::Length));
    }

    // Proves: sign-in.common-passwords
    #[test]
    fn common_passwords_are_refused_even_with_trailing_digits_or_doubled() {
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
    fn a_hash_matches_one_password_and_has_its_own_salt() {
        let hashing = Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let hash = hashing.hash(&typed("correct horse battery")).unwrap();
        assert_ne!(hashing.hash(&typed("correct horse battery")).unwrap(), hash);
        assert!(hash.starts_with("$argon2id$"));
        let right = hashing.compare(&typed("correct horse battery"), Some(&hash));
        assert_eq!(right, Comparison { is_right: true, is_outdated: false });
        assert!(!hashing.compare(&typed("correct horse batterx"), Some(&hash)).is_right);
        assert!(!hashing.compare(&typed("a dummy password"), None).is_right);
        assert!(!hashing.compare(&typed("x"), Some("no hash")).is_right);
    }

    #[test]
    fn a_hash_of_another_cost_is_outdated() {
        let cheap = Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let expensive = Hashing::new(Cost { memory_kib: 128, passes: 1 }).unwrap();
        let hash = cheap.hash(&typed("correct horse battery")).unwrap();
        assert!(expensive.compare(&typed("correct horse battery"), Some(&hash)).is_outdated);
        assert!(!cheap.compare(&typed("correct horse battery"), Some(&hash)).is_outdated);
        let hash = expensive.hash(&typed("correct horse battery")).unwrap();
        assert!(cheap.compare(&typed("correct horse battery"), Some(&hash)).is_outdated);
    }

    #[test]
    fn a_comparison_with_a_cheaper_hash_gets_extra_work() {
        let now = Cost { memory_kib: 19_456, passes: 2 };
        let of = |memory_kib, passes| Cost { memory_kib, passes };
        assert_eq!(now.extra_over(of(9_728, 2)), Some(of(9_728, 2)));
        assert_eq!(now.extra_over(of(19_456, 1)), Some(of(9_728, 2)));
        assert_eq!(now.extra_over(of(7_168, 5)), Some(of(1_536, 2)));
        assert_eq!(now.extra_over(now), None);
        assert_eq!(now.extra_over(of(65_536, 3)), None);
    }

    // Proves: operations.secrets-are-hidden
    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", typed("correct horse battery")), "(password)");
    }
}
