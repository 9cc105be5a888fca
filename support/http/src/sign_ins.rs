//! What had to do with signing in, as its owner and admins read it.

use serde::Serialize;
use souk_sign_in::SignIn;
use utoipa::ToSchema;

use crate::closed_texts::SignInKindShape;

/// What had to do with signing in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInAnswer {
    /// Its id.
    pub id: String,
    /// When.
    pub at: String,
    /// Its kind.
    pub kind: SignInKindShape,
    /// Whose account; null when it is nobody's.
    pub user_id: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

impl From<SignIn> for SignInAnswer {
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
