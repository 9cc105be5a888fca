//! Request and response bodies of sign-up, sign-in and sessions.

use serde::{Deserialize, Serialize};
use souk_http::Role;
use souk_http::fields::present;
use souk_http::shapes::{EmailShape, NameShape, NewPasswordShape, PasswordShape, SecretShape};
use souk_http::sign_ins::SignInResponse;
use utoipa::ToSchema;

/// A new account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery", "name": "Ada"}))]
pub struct SignUpRequest {
    /// E-mail address of the user.
    pub email: EmailShape,
    /// Password: 12 to 256 characters, and not a common password.
    pub password: NewPasswordShape,
    /// Name of the user.
    pub name: NameShape,
}

/// A sign-in with e-mail address and password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery"}))]
pub struct LoginRequest {
    /// E-mail address of the account.
    pub email: EmailShape,
    /// Password of the account.
    pub password: PasswordShape,
}

/// A request for new tokens.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"refreshToken": "AZ…"}))]
pub struct RefreshRequest {
    /// The latest refresh token of the session.
    pub refresh_token: SecretShape,
}

/// The code of a sign-in through an identity provider.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"code": "AZ…"}))]
pub struct ExchangeRequest {
    /// The code from the address of the page, after `#code=`.
    pub code: SecretShape,
}

/// A sign-out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"refreshToken": "AZ…", "everywhere": false}))]
pub struct LogoutRequest {
    /// A refresh token of the session.
    pub refresh_token: SecretShape,
    /// True to end all sessions of the user.
    #[serde(default)]
    pub everywhere: bool,
}

/// A change of the password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"current": "correct horse battery", "new": "battery horse correct"}))]
pub struct ChangePasswordRequest {
    /// Current password.
    pub current: PasswordShape,
    /// New password: 12 to 256 characters, and not a common password.
    pub new: NewPasswordShape,
}

/// A request for a token to reset a forgotten password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"email": "ada@example.org"}))]
pub struct ResetRequest {
    /// E-mail address of the account.
    pub email: EmailShape,
}

/// A new password, with the token from the e-mail.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"token": "q8…", "password": "battery horse correct"}))]
pub struct ConfirmResetRequest {
    /// Token from the e-mail.
    pub token: SecretShape,
    /// New password: 12 to 256 characters, and not a common password.
    pub password: NewPasswordShape,
}

/// A verification of the e-mail address, with the token from the e-mail.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"token": "q8…"}))]
pub struct VerifyRequest {
    /// Token from the e-mail.
    pub token: SecretShape,
    /// Password of the account, if the caller is not signed in to it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub password: Option<PasswordShape>,
}

/// The tokens of a session.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000001", "accessToken": "eyJ…", "tokenType": "Bearer", "expiresIn": 600, "refreshToken": "AZ…"}))]
pub struct SignedIn {
    /// Id of the user.
    pub id: String,
    /// Access token for the header `Authorization: Bearer …`.
    pub access_token: String,
    /// Scheme of the header `Authorization`.
    pub token_type: TokenType,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Refresh token for `POST /api/auth/refresh`. It works once.
    pub refresh_token: String,
}

/// The scheme of the header `Authorization` for an access token.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(example = "Bearer")]
pub enum TokenType {
    /// The token is sent as `Authorization: Bearer …`.
    Bearer,
}

/// The content of a valid access token.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"subject": "0199c2aa-bbcc-7000-8000-000000000001", "roles": ["customer"], "expiresAt": "2026-11-21T12:10:00Z"}))]
pub struct Valid {
    /// Id of the user or machine that the token belongs to.
    pub subject: String,
    /// Roles that the token grants.
    pub roles: Vec<Role>,
    /// Time at which the token expires.
    pub expires_at: Option<String>,
}

/// A page of the list of sign-in events, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"items": [{"id": "0199c2aa-bbcc-7000-8000-000000000001", "at": "2026-11-21T12:00:00Z", "kind": "signed-in", "userId": "0199c2aa-bbcc-7000-8000-000000000002", "address": "192.0.2.1", "userAgent": "curl/8.5"}], "nextCursor": null}))]
pub struct SignIns {
    /// Sign-in events: at most `limit` of them.
    pub items: Vec<SignInResponse>,
    /// Cursor of the next page, to be sent as `?cursor=`; null on the last page.
    pub next_cursor: Option<String>,
}
