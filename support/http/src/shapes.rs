//! Shapes that several resources share.

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

/// The header of the position that a write produced.
pub const POSITION: HeaderName = HeaderName::from_static("x-position");

/// Money: minor units and an ISO 4217 currency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": 255, "currency": "GBP"}))]
pub struct MoneyShape {
    /// Minor units.
    #[schema(minimum = 0)]
    pub amount: i64,
    /// Three letters.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

impl MoneyShape {
    /// The amount, or what is wrong with it.
    pub fn read(&self, pointer: &str) -> Result<Money, FieldError> {
        let currency = money::currency(&self.currency).ok_or_else(|| {
            let detail = format!("`{}` is no ISO 4217 currency, as GBP is one", quoted(&self.currency));
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

/// An e-mail address, never shown by `Debug`.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = "email", max_length = 254, example = "ada@example.org")]
pub struct EmailShape(pub String);

impl EmailShape {
    /// The address, or a refusal.
    pub fn read(&self, pointer: &str) -> Result<Email, Problem> {
        Email::parse(&self.0).map_err(|why| Problem::field(pointer, "invalid-email", why.to_string()))
    }
}

/// What a guest knows of an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"code": "SK-7F3K-9QXM", "email": "ada@example.org"}))]
pub struct LookupShape {
    /// Its code.
    #[schema(min_length = 1, max_length = 20)]
    pub code: String,
    /// The e-mail address it was placed with.
    pub email: EmailShape,
}

impl LookupShape {
    /// Code, as people type it, and address.
    pub fn read(&self) -> Result<(String, Email), Problem> {
        let code = read_text("/code", &self.code, &ORDER_CODE)?;
        Ok((code.to_uppercase(), self.email.read("/email")?))
    }
}

/// A password as it was typed, never shown by `Debug`.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = "password", min_length = 1, max_length = 256, example = "correct horse battery")]
pub struct PasswordShape(pub String);

/// A password that shall be somebody's, never shown by `Debug`.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, format = "password", min_length = 12, max_length = 256, example = "correct horse battery")]
pub struct NewPasswordShape(pub String);

/// A token of somebody's, never shown by `Debug`.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 200, example = "AZ…")]
pub struct SecretShape(pub String);

/// What somebody is called, never shown by `Debug`.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 200, pattern = r"\S", example = "Ada")]
pub struct NameShape(pub String);

impl NameShape {
    /// The name, or a refusal.
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
    /// Who receives.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub name: String,
    /// Street and number.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub line1: String,
    /// More of it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub line2: String,
    /// City.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub city: String,
    /// State, county, province.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub region: String,
    /// Postal code.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub postal_code: String,
    /// ISO 3166 alpha-2 code.
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: String,
    /// Phone number.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub phone: String,
}

impl AddressShape {
    /// The address, or everything that is wrong with it.
    pub fn read(self, pointer: &str) -> Result<Address, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut field = |name: &str, value: &str, rule: &TextRule| {
            let kept = keep(&format!("{pointer}/{name}"), value, rule);
            kept.map_err(|wrong| errors.push(wrong)).unwrap_or_default()
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

/// What a write answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 0, "position": "42"}))]
pub struct Written {
    /// The resource.
    pub id: String,
    /// Its revision.
    pub revision: u64,
    /// How far the log is: send it back as `X-Min-Position` to read what was written.
    pub position: String,
}

/// A write's answer with its headers.
#[derive(Clone, Debug)]
pub struct WriteAnswer<T> {
    /// The status.
    pub status: StatusCode,
    /// `Location`, for what was created.
    pub location: Option<String>,
    /// `ETag`.
    pub revision: Revision,
    /// `X-Position`.
    pub position: Position,
    /// The body.
    pub body: T,
}

impl WriteAnswer<Written> {
    /// The answer to a plain write.
    pub fn written(status: StatusCode, id: &impl ToString, revision: Revision, position: Position) -> Self {
        let body = Written { id: id.to_string(), revision: revision.0, position: position.to_string() };
        Self { status, location: None, revision, position, body }
    }

    /// The answer to a write that created something.
    pub fn created(base: &str, id: &impl ToString, revision: Revision, position: Position) -> Self {
        let id = id.to_string();
        let location = Some(format!("{base}/{id}"));
        Self { location, ..Self::written(StatusCode::CREATED, &id, revision, position) }
    }
}

impl<T: Serialize> IntoResponse for WriteAnswer<T> {
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

/// Keeps a text by its rule, or says what is wrong with its field.
pub fn keep(pointer: &str, text: &str, rule: &TextRule) -> Result<String, FieldError> {
    rule.keep(text).map_err(|why| FieldError::new(pointer, why.code(), why.to_string()))
}

/// The same, where one wrong field is enough to refuse the request.
pub fn read_text(pointer: &str, text: &str, rule: &TextRule) -> Result<String, Problem> {
    keep(pointer, text, rule).map_err(|wrong| Problem::fields(vec![wrong]))
}
