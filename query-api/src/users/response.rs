//! What is known of somebody, as they are shown it. What can't be opened any more reads as erased.

use serde::Serialize;
use souk_accounts::SignIn;
use souk_domain::AddressId;
use souk_domain::user::Preferences;
use souk_domain::user::event::{Entry, UserRole};
use souk_eventsourcing::{KeyRing, Position};
use souk_projections::users::{BookEntry, UserRow};
use souk_web::sign_ins::SignInAnswer;
use utoipa::ToSchema;

use crate::orders::response::OrderAnswer;

/// Somebody with an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "User")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 2, "position": "57", "email": "ada@example.org", "emailVerified": true, "name": "Ada", "phone": "+44 20 7946 0000", "role": "customer", "createdAt": "2026-11-21T12:00:00Z"}))]
pub(crate) struct UserAnswer {
    id: String,
    /// Its revision, for `If-Match`.
    pub(crate) revision: u64,
    /// How far the read models are.
    position: String,
    email: Option<String>,
    email_verified: bool,
    name: Option<String>,
    phone: Option<String>,
    /// `customer` or `admin`.
    role: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

impl UserAnswer {
    pub(crate) fn new(id: &str, row: &UserRow, keys: &KeyRing, position: Position) -> Self {
        let phone = row.phone.as_ref().and_then(|phone| phone.reveal(keys));
        Self {
            id: id.to_owned(),
            revision: row.revision,
            position: position.to_string(),
            email: row.email.reveal(keys),
            email_verified: row.verified_at.is_some(),
            name: row.name.reveal(keys),
            phone: phone.filter(|phone| !phone.is_empty()),
            role: match row.role {
                UserRole::Customer => "customer",
                UserRole::Admin => "admin",
            },
            created_at: row.created_at.to_string(),
        }
    }
}

/// An address in somebody's book.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "BookEntry")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000002", "label": "home", "name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "", "postalCode": "N1 1AA", "country": "GB", "phone": "", "default": true}))]
pub(crate) struct EntryAnswer {
    id: String,
    label: String,
    name: String,
    line1: String,
    line2: String,
    city: String,
    region: String,
    postal_code: String,
    country: String,
    phone: String,
    default: bool,
}

impl EntryAnswer {
    /// None when it is erased.
    fn new(entry: &BookEntry, default: Option<AddressId>, keys: &KeyRing) -> Option<Self> {
        let Entry { label, address } = entry.entry.reveal(keys)?;
        Some(Self {
            id: entry.id.to_string(),
            label,
            name: address.name,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            region: address.region,
            postal_code: address.postal_code,
            country: address.country,
            phone: address.phone,
            default: default == Some(entry.id),
        })
    }
}

/// Somebody's book of addresses, oldest first: at most 50.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Book")]
#[schema(example = json!({"items": [{"id": "0199c2aa-bbcc-7000-8000-000000000002", "label": "home", "name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "", "postalCode": "N1 1AA", "country": "GB", "phone": "", "default": true}], "nextCursor": null, "position": "57"}))]
pub(crate) struct BookAnswer {
    items: Vec<EntryAnswer>,
    /// Always null: there is one page.
    next_cursor: Option<String>,
    /// How far the read models are.
    position: String,
}

impl BookAnswer {
    pub(crate) fn new(row: &UserRow, keys: &KeyRing, position: Position) -> Self {
        Self { items: entries(row, keys), next_cursor: None, position: position.to_string() }
    }
}

fn entries(row: &UserRow, keys: &KeyRing) -> Vec<EntryAnswer> {
    row.addresses.iter().filter_map(|entry| EntryAnswer::new(entry, row.default_address, keys)).collect()
}

/// What somebody wants.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Preferences")]
#[schema(example = json!({"language": "en", "marketing": false, "notifications": {"email": true}}))]
pub(crate) struct PreferencesAnswer {
    language: String,
    marketing: bool,
    notifications: ChannelsAnswer,
}

/// How somebody is told of their orders.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Channels")]
struct ChannelsAnswer {
    email: bool,
}

impl From<&Preferences> for PreferencesAnswer {
    fn from(preferences: &Preferences) -> Self {
        let Preferences { language, marketing, email_notifications } = preferences.clone();
        Self { language, marketing, notifications: ChannelsAnswer { email: email_notifications } }
    }
}

/// Everything that is held about somebody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Export")]
#[schema(example = json!({"user": {"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 2, "position": "57", "email": "ada@example.org", "emailVerified": true, "name": "Ada", "phone": null, "role": "customer", "createdAt": "2026-11-21T12:00:00Z"}, "addresses": [], "preferences": {"language": "en", "marketing": false, "notifications": {"email": true}}, "orders": [], "signIns": [], "identityProviders": [], "position": "57"}))]
pub(crate) struct ExportAnswer {
    pub(crate) user: UserAnswer,
    addresses: Vec<EntryAnswer>,
    preferences: PreferencesAnswer,
    /// Newest first.
    orders: Vec<OrderAnswer>,
    /// What had to do with signing in, newest first, for ninety days.
    sign_ins: Vec<SignInAnswer>,
    /// Those whose word is taken for who they are.
    identity_providers: Vec<String>,
    /// How far the read models are.
    position: String,
}

impl ExportAnswer {
    pub(crate) fn new(
        id: &str,
        row: &UserRow,
        orders: Vec<OrderAnswer>,
        signing_in: (Vec<SignIn>, Vec<String>),
        keys: &KeyRing,
        position: Position,
    ) -> Self {
        Self {
            user: UserAnswer::new(id, row, keys, position),
            addresses: entries(row, keys),
            preferences: (&row.preferences).into(),
            orders,
            sign_ins: signing_in.0.into_iter().map(SignInAnswer::from).collect(),
            identity_providers: signing_in.1,
            position: position.to_string(),
        }
    }
}
