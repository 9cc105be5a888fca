//! Shape of one entry of the sign-in audit, which the account's owner and admins can read.

use serde::Serialize;
use souk_sign_in::SignIn;
use utoipa::ToSchema;

use crate::closed_texts::SignInKindShape;

/// Entry of the sign-in audit: one action such as a sign-in, a sign-out or a change of password.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInResponse {
    /// Id of the entry.
    pub id: String,
    /// Time of the action (RFC 3339, UTC).
    pub at: String,
    /// Kind of action.
    pub kind: SignInKindShape,
    /// Id of the account. Null if no account has the e-mail address.
    pub user_id: Option<String>,
    /// Client address. Null if it is not known.
    pub address: Option<String>,
    /// Value of the request's `User-Agent` header.
    pub user_agent: Option<String>,
}

impl From<SignIn> for SignInResponse {
    fn from(sign_in: SignIn) -> Self {
        Self {
            id: sign_in.id.to_string(),
            at: sign_in.at.to_string(),
            kind: sign_in.kind.into(),
            user_id: sign_in.user.map(|user| user.to_string()),
            address: sign_in.address,
            user_agent: sign_in.user_agent,
        }
    }
}
