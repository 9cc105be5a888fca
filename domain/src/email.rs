//! E-mail addresses and their hashes.

use std::fmt;

use crate::InvalidText;
use crate::ids::text_id;
use crate::limits::EMAIL_CHARS_MAX;

/// Error for a text without an `@`.
const NO_AT: InvalidText =
    InvalidText("the `@` is missing: an e-mail address is allowed, such as ada@example.org");
/// Error for a text with letters of other alphabets.
const NOT_ASCII: InvalidText = InvalidText(
    "an e-mail address of ASCII characters is allowed, such as ada@example.org: letters of other alphabets can \
     look like ASCII letters; write such a domain in its `xn--` form",
);
/// Error for any other text that is not an e-mail address.
const ALLOWED: InvalidText = InvalidText(
    "an e-mail address is allowed, such as ada@example.org: one `@`, followed by a domain with a dot",
);

/// An e-mail address, trimmed and in lower case. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Parses an address: a local part, one `@`, and a domain with a dot, in visible ASCII characters only.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let email = text.trim().to_ascii_lowercase();
        let (local, domain) = email.split_once('@').ok_or(NO_AT)?;
        if !email.is_ascii() {
            return Err(NOT_ASCII);
        }
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_local = (1..=64).contains(&local.len())
            && local
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte))
            && local.split('.').all(|part| !part.is_empty());
        let is_domain = domain.contains('.') && domain.split('.').all(is_label);
        let fits = email.len() <= EMAIL_CHARS_MAX;
        if is_local && is_domain && fits { Ok(Self(email)) } else { Err(ALLOWED) }
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the keyed hash by which the address is looked up.
    pub fn hash(&self, key: &[u8; 32]) -> EmailHash {
        EmailHash::of(key, &self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

text_id!(
    /// The keyed hash of an e-mail address, or the random alias that stands for the address in the log: 64
    /// hexadecimal digits. The address can be found from the hash only with the key, and never from the
    /// alias.
    EmailHash
);

impl EmailHash {
    /// Returns the keyed hash of an address that is trimmed and in lower case.
    pub fn of(key: &[u8; 32], email: &str) -> Self {
        Self(blake3::keyed_hash(key, email.as_bytes()).to_hex().as_str().into())
    }

    /// Parses a hash or an alias.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { Ok(Self(text.into())) } else { Err(InvalidText("64 hexadecimal digits are allowed")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: sign-in.addresses-in-lower-case
    #[test]
    fn addresses_are_trimmed_and_converted_to_lower_case() {
        assert_eq!(Email::parse(" Ada+shop@Example.ORG ").unwrap().as_str(), "ada+shop@example.org");
        assert!(Email::parse("ada@xn--bcher-kva.example").is_ok());
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("a@{}.org", "a.".repeat(130));
        for text in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "a b@example.org",
            "a@b@example.org",
            "a@.org",
            "a@b..org",
            ".a@b.org",
            "a.@b.org",
            "a@-b.org",
            "a\u{0}@b.org",
            "ad\u{430}@example.org",
            "ada@ex\u{430}mple.org",
            "\"a b\"@example.org",
            &long,
            &longer,
        ] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_names_the_fault_in_an_address() {
        for (text, expected) in [
            ("nope", "`@` is missing"),
            ("", "`@` is missing"),
            ("ada@ex\u{430}mple.org", "other alphabets"),
            ("ada@example", "a domain with a dot"),
            ("a@b@example.org", "one `@`"),
        ] {
            let error = Email::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_is_never_shown() {
        assert_eq!(format!("{:?}", Email::parse("ada@example.org").unwrap()), "(personal)");
    }
}
