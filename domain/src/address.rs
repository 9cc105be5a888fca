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
