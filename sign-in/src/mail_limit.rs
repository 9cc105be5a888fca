//! Limits of the mails that one e-mail address gets in a day.
//!
//! Anybody can name an address that is not theirs: at sign-up, after each erasure again, and for a reset. So mails
//! are counted by the address, beside the accounts, and the counts outlive an erasure. What is kept is a keyed hash of
//! the address under a key that is used for nothing else: it tells nobody's address, matches no account, and goes
//! when its day is over. Each purpose has counts of its own, and so has each client address among those who ask,
//! or else one stranger could use up the mails that reset somebody's password.

use std::net::IpAddr;

use jiff::SignedDuration;
use souk_domain::Email;

use crate::one_time::Purpose;

/// Mails of one purpose that one e-mail address gets in a day.
pub const MAILS_A_DAY_MAX: u32 = 12;
/// Mails of one purpose that one e-mail address gets in a day because one client address asked.
pub const MAILS_A_DAY_OF_CLIENT_MAX: u32 = 4;
/// Lifetime of a count, from its first mail on.
pub const COUNTED: SignedDuration = SignedDuration::from_hours(24);

/// A count of mails, and the most that it may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailCount {
    /// The keyed hash of what is counted.
    pub key: [u8; 32],
    /// The most mails in a day.
    pub mails_max: u32,
}

impl MailCount {
    /// Names the counts of a mail that a client asks for.
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

/// The mailbox of an address, without the tag behind a `+`, which its owner chooses.
fn mailbox(address: &Email) -> String {
    let (local, domain) = address.as_str().rsplit_once('@').unwrap_or((address.as_str(), ""));
    format!("{}@{domain}", local.split('+').next().unwrap_or(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_addresses_and_clients_are_counted_apart() {
        let of = |key: u8, purpose, to: &str, client: &str| {
            MailCount::of(&[key; 32], purpose, &Email::parse(to).unwrap(), client.parse().ok())
        };
        let verify = Purpose::VerifyEmail;
        let ada = "ada@example.org";
        let first = of(1, verify, ada, "192.0.2.1");
        assert_eq!(first, of(1, verify, ada, "192.0.2.1"));
        let elsewhere = of(1, verify, ada, "192.0.2.2");
        assert!(first[0] == elsewhere[0] && first[1] != elsewhere[1] && first[0].key != first[1].key);
        assert_eq!(first, of(1, verify, "ada+another@example.org", "192.0.2.1"), "it is the same mailbox");
        for other in [
            of(1, Purpose::ResetPassword, ada, "192.0.2.1"),
            of(1, verify, "bob@example.org", "192.0.2.1"),
            of(2, verify, ada, "192.0.2.1"),
        ] {
            assert!(first[0] != other[0] && first[1] != other[1]);
        }
    }
}
