//! What is known of somebody, as they are shown it. What can't be opened any more reads as erased.

use serde::Serialize;
use souk_domain::AddressId;
use souk_domain::user::Preferences;
use souk_domain::user::event::Entry;
use souk_eventsourcing::{KeyRing, Position};
use souk_http::closed_texts::UserRoleShape;
use souk_http::sign_ins::SignInAnswer;
use souk_projections::users::{BookEntry, UserRow};
use souk_sign_in::SentMail;
use souk_sign_in::credentials::Stored;
use utoipa::ToSchema;

use crate::cart::response::CartAnswer;
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
    role: UserRoleShape,
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
            role: row.role.into(),
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

pub(super) fn entries(row: &UserRow, keys: &KeyRing) -> Vec<EntryAnswer> {
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

// `export.rs` writes it field by field, in this order: it is never made as a whole.
/// Everything that is held about somebody.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Export")]
#[schema(example = json!({"user": {"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 2, "position": "57", "email": "ada@example.org", "emailVerified": true, "name": "Ada", "phone": null, "role": "customer", "createdAt": "2026-11-21T12:00:00Z"}, "addresses": [], "preferences": {"language": "en", "marketing": false, "notifications": {"email": true}}, "orders": [], "cart": {"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 0, "lines": [], "total": {"amount": 0, "currency": "GBP"}, "position": "57"}, "sessions": [{"id": "0199c2aa-bbcc-7000-8000-000000000003", "openedAt": "2026-11-21T12:00:00Z", "expiresAt": "2026-12-21T12:00:00Z"}], "signIns": [], "allSignIns": true, "identityProviders": [], "mails": [{"at": "2026-11-21T12:00:00Z", "subject": "Is this your e-mail address?"}], "position": "57"}))]
pub(super) struct ExportAnswer {
    user: UserAnswer,
    addresses: Vec<EntryAnswer>,
    preferences: PreferencesAnswer,
    /// Newest first.
    orders: Vec<OrderAnswer>,
    /// What is put aside.
    cart: CartAnswer,
    /// Where the account is signed in.
    sessions: Vec<SessionAnswer>,
    /// What had to do with signing in, newest first, for ninety days: at most 10,000.
    sign_ins: Vec<SignInAnswer>,
    /// Whether these are all; the others are in `/api/auth/audit`.
    all_sign_ins: bool,
    /// Those whose word is taken for who they are.
    identity_providers: Vec<String>,
    /// Mails of the last week, newest first, without what they say: that is for those who can read the mailbox.
    mails: Vec<MailAnswer>,
    /// How far the read models are.
    position: String,
}

/// A place where an account is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Session")]
pub(super) struct SessionAnswer {
    id: String,
    #[schema(format = DateTime)]
    opened_at: String,
    /// When it ends unless it is used.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<Stored> for SessionAnswer {
    fn from(Stored { family, .. }: Stored) -> Self {
        let (opened_at, expires_at) = (family.opened_at.to_string(), family.expires_at.to_string());
        Self { id: family.id.to_string(), opened_at, expires_at }
    }
}

/// A mail that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Mail")]
pub(super) struct MailAnswer {
    #[schema(format = DateTime)]
    at: String,
    subject: String,
}

impl From<SentMail> for MailAnswer {
    fn from(SentMail { at, subject }: SentMail) -> Self {
        Self { at: at.to_string(), subject }
    }
}
