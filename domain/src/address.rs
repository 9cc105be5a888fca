//! Where goods go.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A postal address, as typed. It tells about a person as a whole, so events hold it under one seal, and
/// `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Who receives.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// Whatever the first line had no room for.
    #[serde(default)]
    pub line2: String,
    /// City.
    pub city: String,
    /// State, county, province.
    #[serde(default)]
    pub region: String,
    /// Postal code.
    #[serde(default)]
    pub postal_code: String,
    /// ISO 3166 alpha-2 code.
    pub country: String,
    /// Phone number.
    #[serde(default)]
    pub phone: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

/// Kosovo, which ISO 3166-1 lists no code for: a code that the standard leaves to its users. CLDR names the country by
/// it, and post and payment companies take it, so parcels go there and cards come from there.
const KOSOVO: &str = "XK";

/// Returns true for the code of a country in ISO 3166-1 (alpha-2), in capital letters, and for Kosovo.
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
    fn what_an_address_need_not_have_may_be_left_out() {
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
    fn a_country_is_one_of_iso_3166_or_kosovo() {
        for country in ["GB", "DE", "US", "AQ", "SS", "CW", "XK"] {
            assert!(is_country(country), "{country}");
        }
        for none in ["ZZ", "UK", "EU", "XX", "XA", "xk", "AN", "gb", "G", "GBR", "", "Ｇ"] {
            assert!(!is_country(none), "{none}");
        }
        let all = (b'A'..=b'Z').flat_map(|first| (b'A'..=b'Z').map(move |second| [first, second]));
        let known = all.filter(|code| std::str::from_utf8(code).is_ok_and(is_country));
        assert_eq!(known.count(), 250);
    }

    #[test]
    fn nothing_of_an_address_is_shown_by_debug() {
        let address = Address { name: "Ada".into(), ..Address::default() };
        assert!(!format!("{address:?}").contains("Ada"));
    }
}
