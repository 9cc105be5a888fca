//! What is asked when signing in, and what is answered.

use serde::{Deserialize, Serialize};
use souk_http::Role;
use souk_http::shapes::{EmailShape, NameShape, NewPasswordShape, PasswordShape, SecretShape};
use souk_http::sign_ins::SignInAnswer;
use utoipa::ToSchema;

use crate::users::request::given;

/// A new account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery", "name": "Ada"}))]
pub struct SignUpRequest {
    /// Their e-mail address.
    pub email: EmailShape,
    /// 12 to 256 characters, and not one that many have.
    pub password: NewPasswordShape,
    /// Their name.
    pub name: NameShape,
}

/// Somebody signs in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery"}))]
pub struct LoginRequest {
    /// Their e-mail address.
    pub email: EmailShape,
    /// Their password.
    pub password: PasswordShape,
}

/// A refresh token for the next.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"refreshToken": "AZ…"}))]
pub struct RefreshRequest {
    /// The last that was given out.
    pub refresh_token: SecretShape,
}

/// The code of a sign-in through an identity provider.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"code": "AZ…"}))]
pub struct ExchangeRequest {
    /// The text behind `#code=`.
    pub code: SecretShape,
}

/// Somebody signs out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"refreshToken": "AZ…", "everywhere": false}))]
pub struct LogoutRequest {
    /// One of the session's.
    pub refresh_token: SecretShape,
    /// Whether all their sessions end.
    #[serde(default)]
    pub everywhere: bool,
}

/// Another password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"current": "correct horse battery", "new": "battery horse correct"}))]
pub struct ChangePasswordRequest {
    /// The one of now.
    pub current: PasswordShape,
    /// 12 to 256 characters, and not one that many have.
    pub new: NewPasswordShape,
}

/// Somebody forgot their password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"email": "ada@example.org"}))]
pub struct ResetRequest {
    /// Their e-mail address.
    pub email: EmailShape,
}

/// A new password, by the token that was mailed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"token": "q8…", "password": "battery horse correct"}))]
pub struct ConfirmResetRequest {
    /// What was mailed.
    pub token: SecretShape,
    /// 12 to 256 characters, and not one that many have.
    pub password: NewPasswordShape,
}

/// The token that was mailed, from somebody who is signed in to the account or sends its password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"token": "q8…"}))]
pub struct VerifyRequest {
    /// What was mailed.
    pub token: SecretShape,
    /// The account's password, of a caller who is not signed in to it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub password: Option<PasswordShape>,
}

/// Somebody is signed in.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "0199c2aa-bbcc-7000-8000-000000000001", "accessToken": "eyJ…", "tokenType": "Bearer", "expiresIn": 600, "refreshToken": "AZ…"}))]
pub struct SignedIn {
    /// Who.
    pub id: String,
    /// For `Authorization: Bearer …`.
    pub access_token: String,
    /// The scheme of `Authorization`.
    pub token_type: TokenType,
    /// Seconds that the access token lasts.
    pub expires_in: u64,
    /// Good for the next two, once.
    pub refresh_token: String,
}

/// The scheme under which a token is sent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(example = "Bearer")]
pub enum TokenType {
    /// `Authorization: Bearer …`.
    Bearer,
}

/// A token that is valid.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"subject": "0199c2aa-bbcc-7000-8000-000000000001", "roles": ["customer"], "expiresAt": "2026-11-21T12:10:00Z"}))]
pub struct Valid {
    /// Whose it is.
    pub subject: String,
    /// What it allows.
    pub roles: Vec<Role>,
    /// When it expires.
    pub expires_at: Option<String>,
}

/// Sign-ins, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"items": [{"id": "0199c2aa-bbcc-7000-8000-000000000001", "at": "2026-11-21T12:00:00Z", "kind": "signed-in", "userId": "0199c2aa-bbcc-7000-8000-000000000002", "address": "192.0.2.1", "userAgent": "curl/8.5"}], "nextCursor": null}))]
pub struct SignIns {
    /// At most `limit`.
    pub items: Vec<SignInAnswer>,
    /// Gives the next page as `?cursor=`; null on the last.
    pub next_cursor: Option<String>,
}
