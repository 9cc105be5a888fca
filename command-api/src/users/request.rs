//! What people say of themselves.

use serde::{Deserialize, Deserializer};
use souk_domain::FieldError;
use souk_domain::text::rules::SHORT;
use souk_domain::user::Preferences;
use souk_domain::user::event::Entry;
use souk_http::Problem;
use souk_http::shapes::{AddressShape, NameShape, PasswordShape, read_text};
use utoipa::ToSchema;

/// Characters of a language tag.
const LANGUAGE_CHARS_MAX: usize = 35;

/// What they are called.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"name": "Ada", "phone": "+44 20 7946 0000"}))]
pub struct ProfileRequest {
    /// Their name.
    pub name: NameShape,
    /// Their phone number, as typed.
    #[serde(default)]
    pub phone: ShortShape,
}

/// A short text about a person, never shown by `Debug`.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(value_type = String, max_length = 200)]
pub struct ShortShape(pub String);

impl std::fmt::Debug for ShortShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(personal)")
    }
}

impl ShortShape {
    /// The text, or a refusal.
    pub fn read(self, pointer: &str) -> Result<String, Problem> {
        read_text(pointer, &self.0, &SHORT)
    }
}

/// An address for the book: a postal address, what its owner calls it, and whether goods go there unless
/// they say otherwise.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"label": "home", "name": "Ada", "line1": "1 Test St", "city": "London", "postalCode": "N1 1AA", "country": "GB", "default": true}))]
pub struct EntryRequest {
    /// As in `home`.
    #[serde(default)]
    pub label: ShortShape,
    /// Who receives.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub name: ShortShape,
    /// Street and number.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub line1: ShortShape,
    /// More of it.
    #[serde(default)]
    pub line2: ShortShape,
    /// City.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub city: ShortShape,
    /// State, county, province.
    #[serde(default)]
    pub region: ShortShape,
    /// Postal code.
    #[serde(default)]
    pub postal_code: ShortShape,
    /// ISO 3166 alpha-2 code.
    #[schema(value_type = String, pattern = "^[A-Z]{2}$")]
    pub country: ShortShape,
    /// Phone number.
    #[serde(default)]
    pub phone: ShortShape,
    /// Whether goods go there unless they say otherwise.
    #[serde(default)]
    pub default: bool,
}

impl EntryRequest {
    /// The entry, or everything that is wrong with it.
    pub fn read(self) -> Result<(Entry, bool), Problem> {
        let address = AddressShape {
            name: self.name.0,
            line1: self.line1.0,
            line2: self.line2.0,
            city: self.city.0,
            region: self.region.0,
            postal_code: self.postal_code.0,
            country: self.country.0,
            phone: self.phone.0,
        };
        let label = self.label.read("/label")?;
        Ok((Entry { label, address: address.read("").map_err(Problem::fields)? }, self.default))
    }
}

/// What they want.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"language": "en", "marketing": false, "notifications": {"email": true}}))]
pub struct PreferencesRequest {
    /// A language tag, as in `en` or `pt-BR`.
    #[schema(max_length = 35, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
    pub language: String,
    /// Whether they want to hear of offers.
    pub marketing: bool,
    /// How they are told of their orders.
    pub notifications: ChannelsRequest,
}

/// How they are told of their orders.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ChannelsRequest {
    /// By e-mail.
    pub email: bool,
}

impl PreferencesRequest {
    /// The preferences, or a refusal.
    pub fn read(self) -> Result<Preferences, Problem> {
        let mut parts = self.language.split('-');
        let is_part =
            |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let first = parts.next().unwrap_or("");
        let is_language = first.len() >= 2 && first.bytes().all(|b| b.is_ascii_alphabetic());
        let fits = self.language.len() <= LANGUAGE_CHARS_MAX;
        if !(fits && is_language && is_part(first) && parts.all(is_part)) {
            let detail = "a language tag is allowed, as in en or pt-BR";
            return Err(Problem::fields(vec![FieldError::new("/language", "invalid-language", detail)]));
        }
        let email_notifications = self.notifications.email;
        Ok(Preferences { language: self.language, marketing: self.marketing, email_notifications })
    }
}

/// Somebody wants to be forgotten.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"password": "correct horse battery"}))]
pub struct EraseRequest {
    /// Their password; left out by who has none and signed in through an identity provider within the last
    /// two minutes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub password: Option<PasswordShape>,
}

/// Reads a field that may be left out, and is not null when it isn't.
pub(crate) fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PasswordShape>, D::Error> {
    PasswordShape::deserialize(value).map(Some)
}
