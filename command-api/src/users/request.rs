//! Request bodies of users.

use serde::Deserialize;
use souk_domain::FieldError;
use souk_domain::text::rules::SHORT;
use souk_domain::user::Preferences;
use souk_domain::user::event::Entry;
use souk_http::Problem;
use souk_http::fields::present;
use souk_http::shapes::{AddressShape, NameShape, PasswordShape, read_text};
use utoipa::ToSchema;

/// Largest number of characters of a language tag.
const LANGUAGE_CHARS_MAX: usize = 35;

/// The name and phone number of a user.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"name": "Ada", "phone": "+44 20 7946 0000"}))]
pub struct ProfileRequest {
    /// Name of the user.
    pub name: NameShape,
    /// Phone number of the user, as typed: at most 200 characters.
    #[serde(default)]
    pub phone: ShortShape,
}

/// A short text about a person: at most 200 characters. `Debug` does not print it.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(value_type = String, max_length = 200)]
pub struct ShortShape(pub String);

impl std::fmt::Debug for ShortShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(personal)")
    }
}

impl ShortShape {
    /// Returns the trimmed text, or a problem that points to the field.
    pub fn read(self, pointer: &str) -> Result<String, Problem> {
        read_text(pointer, &self.0, &SHORT)
    }
}

/// An entry of the address book.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"label": "home", "name": "Ada", "line1": "1 Test St", "city": "London", "postalCode": "N1 1AA", "country": "GB", "default": true}))]
pub struct EntryRequest {
    /// Label that the user gives to the address, such as `home`.
    #[serde(default)]
    pub label: ShortShape,
    /// Name of the recipient.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub name: ShortShape,
    /// Street and house number.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub line1: ShortShape,
    /// Second address line, such as an apartment.
    #[serde(default)]
    pub line2: ShortShape,
    /// City or town.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub city: ShortShape,
    /// State, county or province.
    #[serde(default)]
    pub region: ShortShape,
    /// Postal code, as typed.
    #[serde(default)]
    pub postal_code: ShortShape,
    /// Country as two capital letters (ISO 3166-1 alpha-2).
    #[schema(value_type = String, pattern = "^[A-Z]{2}$")]
    pub country: ShortShape,
    /// Phone number for the delivery.
    #[serde(default)]
    pub phone: ShortShape,
    /// True to make this the user's default address.
    #[serde(default)]
    pub default: bool,
}

impl EntryRequest {
    /// Returns the entry and true if it becomes the default address, or an error for each invalid field.
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

/// The preferences of a user.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"language": "en", "marketing": false, "notifications": {"email": true}}))]
pub struct PreferencesRequest {
    /// Language tag, such as `en` or `pt-BR`.
    #[schema(max_length = 35, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
    pub language: String,
    /// True if the user agrees to marketing messages.
    pub marketing: bool,
    /// Channels of notifications about orders.
    pub notifications: ChannelsRequest,
}

/// The channels of notifications about orders.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ChannelsRequest {
    /// True if the user agrees to e-mails about orders.
    pub email: bool,
}

impl PreferencesRequest {
    /// Returns the preferences, or a problem if the language tag is invalid.
    pub fn read(self) -> Result<Preferences, Problem> {
        let mut parts = self.language.split('-');
        let is_part =
            |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let first = parts.next().unwrap_or("");
        let is_language = first.len() >= 2 && first.bytes().all(|b| b.is_ascii_alphabetic());
        let fits = self.language.len() <= LANGUAGE_CHARS_MAX;
        if !(fits && is_language && is_part(first) && parts.all(is_part)) {
            let detail = "the value must be a language tag, such as en or pt-BR";
            return Err(Problem::fields(vec![FieldError::new("/language", "invalid-language", detail)]));
        }
        let email_notifications = self.notifications.email;
        Ok(Preferences { language: self.language, marketing: self.marketing, email_notifications })
    }
}

/// A request of a user to erase their account and personal data.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"password": "correct horse battery"}))]
pub struct EraseRequest {
    /// Password of the user. A user without a password omits it, and must have signed in through an identity
    /// provider within the last two minutes.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub password: Option<PasswordShape>,
}
