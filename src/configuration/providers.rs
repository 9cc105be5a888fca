//! Identity providers: tables `[oidc.NAME]` of the file, or variables `SOUK_OIDC_NAME_…`.

use std::collections::{BTreeMap, HashMap};

use axum::http::Uri;
use serde::Deserialize;

use super::{ConfigurationError, Secret, not_allowed, without_userinfo};

/// What the names of their variables begin with.
const PREFIX: &str = "SOUK_OIDC_";
/// Their variables, where NAME is a provider's.
pub(super) const VARIABLES: [&str; 3] =
    ["SOUK_OIDC_NAME_ISSUER", "SOUK_OIDC_NAME_CLIENT_ID", "SOUK_OIDC_NAME_CLIENT_SECRET"];
/// The longest name, in characters.
const NAME_MAX: usize = 32;

/// Somebody else who says who somebody is, by OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// What addresses call it.
    pub name: String,
    /// What it calls itself: its discovery document is below this address.
    pub issuer: String,
    /// What it calls the shop.
    pub client_id: String,
    /// What the shop shows it.
    pub client_secret: Secret,
}

impl IdentityProvider {
    pub(super) fn described(&self) -> String {
        format!("{}={}", self.name, without_userinfo(&self.issuer))
    }
}

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProvider {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Which part of a provider a variable sets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Issuer,
    ClientId,
    ClientSecret,
}

/// A provider's name, and what is said of which part of it.
pub(super) type Said = (String, Part, String);

/// What variables say of providers, and all other variables.
pub(super) fn apart(variables: HashMap<String, String>) -> (Vec<Said>, HashMap<String, String>) {
    let (mut of_providers, mut others) = (Vec::new(), HashMap::new());
    for (variable, value) in variables {
        match read(&variable) {
            Some((_, _)) if value.is_empty() => {}
            Some((name, part)) => of_providers.push((name, part, value)),
            None => {
                others.insert(variable, value);
            }
        }
    }
    (of_providers, others)
}

/// Returns true for a variable of a provider, whatever the provider is called.
pub(super) fn is_variable(name: &str) -> bool {
    read(name).is_some()
}

/// A known variable with the name of the provider that another variable, mistyped perhaps, is meant for.
pub(super) fn named_as(known: &str, mistyped: &str) -> String {
    let provider = mistyped.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
    match provider.filter(|_| VARIABLES.contains(&known)) {
        Some(provider) => known.replace("NAME", provider),
        None => known.to_owned(),
    }
}

fn read(variable: &str) -> Option<(String, Part)> {
    let rest = variable.strip_prefix(PREFIX)?;
    let parts =
        [("_ISSUER", Part::Issuer), ("_CLIENT_ID", Part::ClientId), ("_CLIENT_SECRET", Part::ClientSecret)];
    let (name, part) =
        parts.into_iter().find_map(|(suffix, part)| Some((rest.strip_suffix(suffix)?, part)))?;
    Some((name.to_lowercase(), part))
}

/// Variables say more than the file.
pub(super) fn put(raw: &mut BTreeMap<String, RawProvider>, said: Vec<Said>) {
    for (name, part, value) in said {
        let provider = raw.entry(name).or_default();
        let field = match part {
            Part::Issuer => &mut provider.issuer,
            Part::ClientId => &mut provider.client_id,
            Part::ClientSecret => &mut provider.client_secret,
        };
        *field = Some(value);
    }
}

pub(super) fn checked(
    raw: BTreeMap<String, RawProvider>,
) -> Result<Vec<IdentityProvider>, ConfigurationError> {
    raw.into_iter().map(|(name, provider)| provider.checked(name)).collect()
}

impl RawProvider {
    fn checked(self, name: String) -> Result<IdentityProvider, ConfigurationError> {
        let is_name = !name.is_empty()
            && name.len() <= NAME_MAX
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_name {
            return Err(not_allowed("SOUK_OIDC_NAME_ISSUER", &name, "as NAME, 1 to 32 letters and digits"));
        }
        let missing = |variable, name: &str| {
            not_allowed(variable, "", "it is needed for every provider").of_provider(name)
        };
        let issuer = self.issuer.ok_or_else(|| missing("SOUK_OIDC_NAME_ISSUER", &name))?;
        if !is_issuer(&issuer) {
            let allowed = "an address as in https://accounts.example, without a user and a password; http on this machine alone";
            return Err(not_allowed("SOUK_OIDC_NAME_ISSUER", &issuer, allowed).of_provider(&name));
        }
        Ok(IdentityProvider {
            issuer,
            client_id: self.client_id.ok_or_else(|| missing("SOUK_OIDC_NAME_CLIENT_ID", &name))?,
            client_secret: self
                .client_secret
                .map(Secret::new)
                .ok_or_else(|| missing("SOUK_OIDC_NAME_CLIENT_SECRET", &name))?,
            name,
        })
    }
}

/// What is said by an issuer counts as much as a password, so it has to come over TLS.
fn is_issuer(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
    let is_here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    // Errors and log lines name the issuer, so it holds no password.
    let has_userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    uri.query().is_none() && !has_userinfo && (scheme == "https" || (scheme == "http" && is_here))
}

impl ConfigurationError {
    /// The same, with the provider's name in that of the variable.
    fn of_provider(self, provider: &str) -> Self {
        match self {
            Self::NotAllowed { name, value, allowed } => {
                let name = name.replace("NAME", &provider.to_uppercase());
                Self::NotAllowed { name, value, allowed }
            }
            other => other,
        }
    }
}
