//! JSON shapes that several resources share, and the response to a write.
//!
//! A shape is the public form of a domain value. `read` checks it and returns the domain value, or the
//! invalid fields. Shapes with personal data never show it in `Debug` output.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use souk_domain::address::is_country;
use souk_domain::text::quoted;
use souk_domain::text::rules::{ORDER_CODE, SHORT, SHORT_NEEDED};
use souk_domain::{Address, Email, FieldError, Money, TextRule, money};
use souk_eventsourcing::{Position, Revision};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Header with the position of the event log after a write.
pub const POSITION: HeaderName = HeaderName::from_static("x-position");

/// An amount of money: minor units and an ISO 4217 currency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": 255, "currency": "GBP"}))]
pub struct MoneyShape {
    /// Amount in minor units, such as pence.
    #[schema(minimum = 0)]
    pub amount: i64,
    /// ISO 4217 code of the currency: three capital letters.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

impl MoneyShape {
    /// Checks the currency and returns the amount as a domain value.
    pub fn read(&self, pointer: &str) -> Result<Money, FieldError> {
        let currency = money::currency(&self.currency).ok_or_else(|| {
            let detail = format!("`{}` is not an ISO 4217 currency code such as GBP", quoted(&self.currency));
            FieldError::new(format!("{pointer}/currency"), "unknown-currency", detail)
        })?;
        Ok(Money::new(self.amount, currency))
    }
}

impl From<Money> for MoneyShape {
    fn from(money: Money) -> Self {
        Self { amount: money.amount, currency: money.currency.code().to_owned() }
    }
}

/// An e-mail address. `Debug` does not show it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = "email", max_length = 254, example = "ada@example.org")]
pub struct EmailShape(pub String);

impl EmailShape {
    /// Checks the address and returns it as a domain value.
    pub fn read(&self, pointer: &str) -> Result<Email, Problem> {
        Email::parse(&self.0).map_err(|why| Problem::field(pointer, "invalid-email", why.to_string()))
    }
}

/// Code and e-mail address of a guest's order. Together they give access to it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"code": "SK-7F3K-9QXM", "email": "ada@example.org"}))]
pub struct LookupShape {
    /// Code of the order.
    #[schema(min_length = 1, max_length = 20)]
    pub code: String,
    /// E-mail address that the order was placed with.
    pub email: EmailShape,
}

impl LookupShape {
    /// Checks both values and returns the code, in capital letters, and the address.
    pub fn read(&self) -> Result<(String, Email), Problem> {
        let code = read_text("/code", &self.code, &ORDER_CODE)?;
        Ok((code.to_uppercase(), self.email.read("/email")?))
    }
}

/// An existing password, as the user typed it. `Debug` does not show it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = "password", min_length = 1, max_length = 256, example = "correct horse battery")]
pub struct PasswordShape(pub String);

/// A new password for an account. `Debug` does not show it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = "password", min_length = 12, max_length = 256, example = "correct horse battery")]
pub struct NewPasswordShape(pub String);

/// A secret token, such as a refresh token. `Debug` does not show it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 200, example = "AZ…")]
pub struct SecretShape(pub String);

/// A person's name. `Debug` does not show it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 200, pattern = r"\S", example = "Ada")]
pub struct NameShape(pub String);

impl NameShape {
    /// Checks the name and returns it trimmed.
    pub fn read(self, pointer: &str) -> Result<String, Problem> {
        read_text(pointer, &self.0, &SHORT_NEEDED)
    }
}

macro_rules! never_shown {
    ($($shape:ty),+) => {
        $(impl std::fmt::Debug for $shape {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("(personal)")
            }
        })+
    };
}

never_shown!(EmailShape, PasswordShape, NewPasswordShape, SecretShape, NameShape, AddressShape);

/// A postal address.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "postalCode": "N1 1AA", "country": "GB"}))]
pub struct AddressShape {
    /// Name of the recipient.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub name: String,
    /// Street and house number.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub line1: String,
    /// Second line of the street address, such as a floor.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub line2: String,
    /// City or town.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub city: String,
    /// State, county or province.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub region: String,
    /// Postal code, as it was typed.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub postal_code: String,
    /// ISO 3166-1 alpha-2 code of the country: two capital letters.
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: String,
    /// Phone number, as it was typed.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub phone: String,
}

impl AddressShape {
    /// Checks the address and returns it as a domain value, or all its invalid fields.
    pub fn read(self, pointer: &str) -> Result<Address, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut field = |name: &str, value: &str, rule: &TextRule| {
            let checked = check_text(&format!("{pointer}/{name}"), value, rule);
            checked.map_err(|error| errors.push(error)).unwrap_or_default()
        };
        let address = Address {
            name: field("name", &self.name, &SHORT_NEEDED),
            line1: field("line1", &self.line1, &SHORT_NEEDED),
            line2: field("line2", &self.line2, &SHORT),
            city: field("city", &self.city, &SHORT_NEEDED),
            region: field("region", &self.region, &SHORT),
            postal_code: field("postalCode", &self.postal_code, &SHORT),
            country: self.country,
            phone: field("phone", &self.phone, &SHORT),
        };
        let country = &address.country;
        if !is_country(country) {
            let detail = "the two capital letters of a country in ISO 3166-1 are allowed, as in GB";
            errors.push(FieldError::new(format!("{pointer}/country"), "unknown-country", detail));
        }
        if errors.is_empty() { Ok(address) } else { Err(errors) }
    }
}

impl From<Address> for AddressShape {
    fn from(address: Address) -> Self {
        let Address { name, line1, line2, city, region, postal_code, country, phone } = address;
        Self { name, line1, line2, city, region, postal_code, country, phone }
    }
}

/// Body of the response to a write.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 0, "position": "42"}))]
pub struct Written {
    /// Id of the resource.
    pub id: String,
    /// Revision of the resource after the write.
    pub revision: u64,
    /// Position of the write in the event log. Send it back as `X-Min-Position` to read what was written.
    pub position: String,
}

/// Response to a write: status, headers and body.
#[derive(Clone, Debug)]
pub struct WriteResponse<T> {
    /// HTTP status.
    pub status: StatusCode,
    /// Value of `Location`, if the write created a resource.
    pub location: Option<String>,
    /// Revision of the resource after the write, sent as `ETag`.
    pub revision: Revision,
    /// Position of the event log after the write, sent as `X-Position`.
    pub position: Position,
    /// Body, sent as JSON.
    pub body: T,
}

impl WriteResponse<Written> {
    /// Creates the response to a write that created no resource.
    pub fn written(status: StatusCode, id: &impl ToString, revision: Revision, position: Position) -> Self {
        let body = Written { id: id.to_string(), revision: revision.0, position: position.to_string() };
        Self { status, location: None, revision, position, body }
    }

    /// Creates the 201 response to a write that created the resource `base`/`id`.
    pub fn created(base: &str, id: &impl ToString, revision: Revision, position: Position) -> Self {
        let id = id.to_string();
        let location = Some(format!("{base}/{id}"));
        Self { location, ..Self::written(StatusCode::CREATED, &id, revision, position) }
    }
}

impl<T: Serialize> IntoResponse for WriteResponse<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: String| match HeaderValue::try_from(value) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(error) => tracing::error!(%error, "a header could not be written"),
        };
        set(header::ETAG, format!("\"{}\"", self.revision));
        set(POSITION, self.position.to_string());
        if let Some(location) = self.location {
            set(header::LOCATION, location);
        }
        response
    }
}

/// Checks a text against its rule and returns it trimmed, or the error of the field.
pub fn check_text(pointer: &str, text: &str, rule: &TextRule) -> Result<String, FieldError> {
    rule.trim_and_check(text).map_err(|why| FieldError::new(pointer, why.code(), why.to_string()))
}

/// Checks a text like [`check_text`], and turns an error into a problem.
pub fn read_text(pointer: &str, text: &str, rule: &TextRule) -> Result<String, Problem> {
    check_text(pointer, text, rule).map_err(|error| Problem::fields(vec![error]))
}
