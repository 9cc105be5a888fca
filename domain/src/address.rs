//! Where goods go. Every field tells something about a person.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Personal;

/// A postal address, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Who receives.
    pub name: Personal<String>,
    /// Street and number.
    pub line1: Personal<String>,
    /// Whatever the first line had no room for.
    #[serde(default)]
    pub line2: Personal<String>,
    /// City.
    pub city: Personal<String>,
    /// State, county, province.
    #[serde(default)]
    pub region: Personal<String>,
    /// Postal code.
    #[serde(default)]
    pub postal_code: Personal<String>,
    /// ISO 3166 alpha-2 code.
    pub country: Personal<String>,
    /// Phone number.
    #[serde(default)]
    pub phone: Personal<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_need_not_have_may_be_left_out() {
        let json =
            r#"{"name":"Ada","line1":"1 Test St","city":"London","country":"GB","postalCode":"N1 1AA"}"#;
        let address: Address = serde_json::from_str(json).unwrap();
        assert_eq!(address.postal_code.reveal(), "N1 1AA");
        assert_eq!(address.phone, Personal::default());
        let written = serde_json::to_string(&address).unwrap();
        assert_eq!(serde_json::from_str::<Address>(&written).unwrap(), address);
        assert!(serde_json::from_str::<Address>(r#"{"name":"Ada"}"#).is_err());
    }

    #[test]
    fn nothing_of_an_address_is_shown_by_debug() {
        let address = Address { name: Personal::new("Ada".into()), ..Address::default() };
        assert!(!format!("{address:?}").contains("Ada"));
    }
}
