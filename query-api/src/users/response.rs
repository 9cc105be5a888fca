//! Response bodies of a user's account. A value that can't be opened because its key is gone is null or left
//! out.

use serde::Serialize;
use souk_domain::AddressId;
use souk_domain::user::Preferences;
use souk_domain::user::event::Entry;
use souk_eventsourcing::{KeyRing, Position};
use souk_http::closed_texts::UserRoleShape;
use souk_http::sign_ins::SignInResponse;
use souk_projections::users::{BookEntry, UserRow};
use souk_sign_in::SentMail;
use souk_sign_in::credentials::StoredSession;
use utoipa::ToSchema;

use crate::cart::response::CartResponse;
use crate::orders::response::OrderResponse;

/// Account of a user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "User")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 2, "position": "57", "email": "ada@example.org", "emailVerified": true, "name": "Ada", "phone": "+44 20 7946 0000", "role": "customer", "createdAt": "2026-11-21T12:00:00Z"}))]
pub(crate) struct UserResponse {
    id: String,
    /// Revision of the account, for `If-Match`.
    pub(crate) revision: u64,
    /// Log position that the read models have reached.
    position: String,
    email: Option<String>,
    email_verified: bool,
    name: Option<String>,
    phone: Option<String>,
    role: UserRoleShape,
    #[schema(format = DateTime)]
    created_at: String,
}

impl UserResponse {
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

/// Address in a user's address book.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "BookEntry")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000002", "label": "home", "name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "", "postalCode": "N1 1AA", "country": "GB", "phone": "", "default": true}))]
pub(crate) struct EntryResponse {
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

impl EntryResponse {
    /// Returns none if the entry can't be opened because the user was erased.
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

/// Address book of a user: at most 50 addresses, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Book")]
#[schema(example = json!({"items": [{"id": "0199c2aa-bbcc-7000-8000-000000000002", "label": "home", "name": "Ada", "line1": "1 Test St", "line2": "", "city": "London", "region": "", "postalCode": "N1 1AA", "country": "GB", "phone": "", "default": true}], "nextCursor": null, "position": "57"}))]
pub(crate) struct BookResponse {
    items: Vec<EntryResponse>,
    /// Always null, because the list has one page.
    next_cursor: Option<String>,
    /// Log position that the read models have reached.
    position: String,
}

impl BookResponse {
    pub(crate) fn new(row: &UserRow, keys: &KeyRing, position: Position) -> Self {
        Self { items: entries(row, keys), next_cursor: None, position: position.to_string() }
    }
}

pub(super) fn entries(row: &UserRow, keys: &KeyRing) -> Vec<EntryResponse> {
    row.addresses.iter().filter_map(|entry| EntryResponse::new(entry, row.default_address, keys)).collect()
}

/// Preferences of a user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Preferences")]
#[schema(example = json!({"language": "en", "marketing": false, "notifications": {"email": true}}))]
pub(crate) struct PreferencesResponse {
    language: String,
    marketing: bool,
    notifications: ChannelsResponse,
}

/// Ways in which the shop notifies a user about orders.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Channels")]
struct ChannelsResponse {
    email: bool,
}

impl From<&Preferences> for PreferencesResponse {
    fn from(preferences: &Preferences) -> Self {
        let Preferences { language, marketing, email_notifications } = preferences.clone();
        Self { language, marketing, notifications: ChannelsResponse { email: email_notifications } }
    }
}

// Only the API description uses this type: `export.rs` writes the fields one by one, in this order.
/// All data that the shop holds about a user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Export")]
#[schema(example = json!({"user": {"id": "0199c2aa-bbcc-7000-8000-000000000001", "revision": 2, "position": "57", "email": "ada@example.org", "emailVerified": true, "name": "Ada", "phone": null, "role": "customer", "createdAt": "2026-11-21T12:00:00Z"}, "addresses": [], "preferences": {"language": "en", "marketing": false, "notifications": {"email": true}}, "orders": [], "cart": {"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 0, "lines": [], "total": {"amount": 0, "currency": "GBP"}, "position": "57"}, "sessions": [{"id": "0199c2aa-bbcc-7000-8000-000000000003", "openedAt": "2026-11-21T12:00:00Z", "expiresAt": "2026-12-21T12:00:00Z"}], "signIns": [], "allSignIns": true, "identityProviders": [], "mails": [{"at": "2026-11-21T12:00:00Z", "subject": "Verify your e-mail address"}], "position": "57"}))]
pub(super) struct ExportResponse {
    user: UserResponse,
    addresses: Vec<EntryResponse>,
    preferences: PreferencesResponse,
    /// Orders of the user, newest first.
    orders: Vec<OrderResponse>,
    /// Cart of the user.
    cart: CartResponse,
    /// Sessions that have not ended.
    sessions: Vec<SessionResponse>,
    /// Sign-ins and related events of the last 90 days, newest first: at most 10,000.
    sign_ins: Vec<SignInResponse>,
    /// True if `signIns` is complete. If not, `/api/auth/audit` lists the other sign-ins.
    all_sign_ins: bool,
    /// Identity providers that are linked to the account.
    identity_providers: Vec<String>,
    /// Mails that the shop sent in the last week, newest first, without their text.
    mails: Vec<MailResponse>,
    /// Log position that the read models have reached.
    position: String,
}

/// Session of a signed-in user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Session")]
pub(super) struct SessionResponse {
    id: String,
    #[schema(format = DateTime)]
    opened_at: String,
    /// Time at which the session ends if it is not used before.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<StoredSession> for SessionResponse {
    fn from(StoredSession { session, .. }: StoredSession) -> Self {
        Self {
            id: session.id.to_string(),
            opened_at: session.opened_at.to_string(),
            expires_at: session.expires_at.to_string(),
        }
    }
}

/// Mail that the shop sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Mail")]
pub(super) struct MailResponse {
    #[schema(format = DateTime)]
    at: String,
    subject: String,
}

impl From<SentMail> for MailResponse {
    fn from(SentMail { at, subject }: SentMail) -> Self {
        Self { at: at.to_string(), subject }
    }
}
