//! Daily limits of the mails to one e-mail address.
//!
//! Anybody can enter the e-mail address of another person, at sign-up or to reset a password. So mails are
//! counted per e-mail address, not per account, and the counts stay when an account is erased. A count is
//! stored under a keyed hash of the address. The key is used for nothing else, so the hash reveals no address
//! and matches no account. It is deleted when its day is over. Each purpose is counted separately. There is
//! also a lower limit per client address; without it, one stranger could use up all password resets of
//! another person.

use std::net::IpAddr;

use jiff::SignedDuration;
use souk_domain::Email;

use crate::one_time::Purpose;

/// Largest number of mails of one purpose to one e-mail address in a day.
pub const MAILS_A_DAY_MAX: u32 = 12;
/// Largest number of mails of one purpose to one e-mail address in a day that one client address can request.
pub const MAILS_A_DAY_OF_CLIENT_MAX: u32 = 4;
/// Lifetime of a count, from its first mail.
pub const COUNTED: SignedDuration = SignedDuration::from_hours(24);

/// Name of a count of mails, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailCount {
    /// Keyed hash of purpose and e-mail address, with or without the client address.
    pub key: [u8; 32],
    /// Largest number of mails in a day.
    pub mails_max: u32,
}

impl MailCount {
    /// Returns the two counts of a mail: the one of the e-mail address, and the one of the pair of e-mail
    /// address and client address.
    pub fn of(key: &[u8; 32], purpose: Purpose, to: &Email, client: Option<IpAddr>) -> [Self; 2] {
        let client = client.map_or_else(|| "unknown".to_owned(), |client| client.to_string());
        let of_all = format!("{} {}", purpose.as_str(), mailbox(to));
        let of_client = format!("{of_all} {client}");
        let hash = |text: String| *blake3::keyed_hash(key, text.as_bytes()).as_bytes();
        [
            Self { key: hash(of_all), mails_max: MAILS_A_DAY_MAX },
            Self { key: hash(of_client), mails_max: MAILS_A_DAY_OF_CLIENT_MAX },
        ]
    }
}

/// Returns the address without the tag after a `+`. The owner chooses the tag freely, so all tags are one
/// mailbox.
fn mailbox(address: &Email) -> String {
    let (local, domain) = address.as_str().rsplit_once('@').unwrap_or((address.as_str(), ""));
    format!("{}@{domain}", local.split('+').next().unwrap_or(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_addresses_and_clients_are_counted_separately() {
        let of = |key: u8, purpose, to: &str, client: &str| {
            MailCount::of(&[key; 32], purpose, &Email::parse(to).unwrap(), client.parse().ok())
        };
        let verify = Purpose::VerifyEmail;
        let ada = "ada@example.org";
        let first = of(1, verify, ada, "192.0.2.1");
        assert_eq!(first, of(1, verify, ada, "192.0.2.1"));
        let other_client = of(1, verify, ada, "192.0.2.2");
        assert!(first[0] == other_client[0] && first[1] != other_client[1] && first[0].key != first[1].key);
        assert_eq!(first, of(1, verify, "ada+another@example.org", "192.0.2.1"), "the mailbox is the same");
        for other in [
            of(1, Purpose::ResetPassword, ada, "192.0.2.1"),
            of(1, verify, "bob@example.org", "192.0.2.1"),
            of(2, verify, ada, "192.0.2.1"),
        ] {
            assert!(first[0] != other[0] && first[1] != other[1]);
        }
    }
}
