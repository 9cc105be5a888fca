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
    fn nothing_of_an_address_is_shown_by_debug() {
        let address = Address { name: "Ada".into(), ..Address::default() };
        assert!(!format!("{address:?}").contains("Ada"));
    }
}
