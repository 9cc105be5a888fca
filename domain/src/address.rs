//! Postal addresses that orders are shipped to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A postal address, as the buyer typed it. The whole address is personal data: events store it sealed, and
/// `Debug` does not print it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Name of the recipient.
    pub name: String,
    /// Street and house number.
    pub line1: String,
    /// Second line of the street address; may be empty.
    #[serde(default)]
    pub line2: String,
    /// City or town.
    pub city: String,
    /// State, county or province; may be empty.
    #[serde(default)]
    pub region: String,
    /// Postal code; may be empty.
    #[serde(default)]
    pub postal_code: String,
    /// Country code (ISO 3166-1 alpha-2).
    pub country: String,
    /// Phone number; may be empty.
    #[serde(default)]
    pub phone: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

/// Code of Kosovo. ISO 3166-1 does not list the country; `XK` is one of the codes that the standard leaves to
/// its users. CLDR, postal services and payment companies use it, so buyers in Kosovo need it.
const KOSOVO: &str = "XK";

/// Returns true for an upper-case country code of ISO 3166-1 alpha-2, and for Kosovo.
pub fn is_country(code: &str) -> bool {
    let is_listed = || {
        code.len() == 2
            && code.bytes().all(|byte| byte.is_ascii_uppercase())
            && rust_iso3166::from_alpha2(code).is_some()
    };
    code == KOSOVO || is_listed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_of_an_address_may_be_absent() {
        let json =
            r#"{"name":"Ada","line1":"1 Test St","city":"London","country":"GB","postalCode":"N1 1AA"}"#;
        let address: Address = serde_json::from_str(json).unwrap();
        assert_eq!(address.postal_code, "N1 1AA");
        assert_eq!(address.phone, "");
        let written = serde_json::to_string(&address).unwrap();
        assert_eq!(serde_json::from_str::<Address>(&written).unwrap(), address);
        assert!(serde_json::from_str::<Address>(r#"{"name":"Ada"}"#).is_err());
    }

    #[test]
    fn a_country_is_in_iso_3166_or_is_kosovo() {
        for country in ["GB", "DE", "US", "AQ", "SS", "CW", "XK"] {
            assert!(is_country(country), "{country}");
        }
        for invalid in ["ZZ", "UK", "EU", "XX", "XA", "xk", "AN", "gb", "G", "GBR", "", "Ｇ"] {
            assert!(!is_country(invalid), "{invalid}");
        }
        let all = (b'A'..=b'Z').flat_map(|first| (b'A'..=b'Z').map(move |second| [first, second]));
        let known = all.filter(|code| std::str::from_utf8(code).is_ok_and(is_country));
        assert_eq!(known.count(), 250);
    }

    #[test]
    fn debug_does_not_print_an_address() {
        let address = Address { name: "Ada".into(), ..Address::default() };
        assert!(!format!("{address:?}").contains("Ada"));
    }
}
