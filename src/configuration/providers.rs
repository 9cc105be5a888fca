//! Identity providers: tables `[oidc.NAME]` of the configuration file, or variables `SOUK_OIDC_NAME_…`.

use std::collections::{BTreeMap, HashMap};

use axum::http::Uri;
use serde::Deserialize;

use super::{ConfigurationError, Secret, not_allowed, without_userinfo};

/// Prefix of the variables of providers.
const PREFIX: &str = "SOUK_OIDC_";
/// Variables of a provider. NAME stands for the name of the provider.
pub(super) const VARIABLES: [&str; 3] =
    ["SOUK_OIDC_NAME_ISSUER", "SOUK_OIDC_NAME_CLIENT_ID", "SOUK_OIDC_NAME_CLIENT_SECRET"];
/// Maximum length of a provider's name in characters.
const NAME_MAX: usize = 32;

/// OpenID Connect provider through which users may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Name of the provider in URL paths.
    pub name: String,
    /// Issuer URL. The discovery document of the provider is below this address.
    pub issuer: String,
    /// Client id of the shop at the provider.
    pub client_id: String,
    /// Client secret of the shop at the provider.
    pub client_secret: Secret,
}

impl IdentityProvider {
    pub(super) fn describe(&self) -> String {
        format!("{}={}", self.name, without_userinfo(&self.issuer))
    }
}

/// Provider as it is written in the file and in variables.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProvider {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Part of a provider that a variable sets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Issuer,
    ClientId,
    ClientSecret,
}

/// Variable of a provider: the name of the provider, the part that the variable sets, and its value.
pub(super) type ProviderVariable = (String, Part, String);

/// Splits variables into those of providers and all others.
pub(super) fn split(variables: HashMap<String, String>) -> (Vec<ProviderVariable>, HashMap<String, String>) {
    let mut of_providers = Vec::new();
    let mut others = HashMap::new();
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

/// Returns true if the variable belongs to a provider with any name.
pub(super) fn is_variable(name: &str) -> bool {
    read(name).is_some()
}

/// Replaces NAME in a known variable by the provider name of a mistyped variable.
pub(super) fn with_provider_name(known: &str, mistyped: &str) -> String {
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

/// Sets the values of variables. They override the values of the file.
pub(super) fn apply(raw: &mut BTreeMap<String, RawProvider>, variables: Vec<ProviderVariable>) {
    for (name, part, value) in variables {
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
            let allowed = "NAME must be 1 to 32 letters and digits";
            return Err(not_allowed("SOUK_OIDC_NAME_ISSUER", &name, allowed));
        }
        let missing = |variable, name: &str| {
            not_allowed(variable, "", "every provider needs a value").of_provider(name)
        };
        let issuer = self.issuer.ok_or_else(|| missing("SOUK_OIDC_NAME_ISSUER", &name))?;
        if !is_issuer(&issuer) {
            let allowed = "must be an address such as https://accounts.example, without a user and a password; http is \
                           allowed only on this machine";
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

/// Returns true if the text is an address with TLS, or on this machine. TLS is needed because a statement of
/// the issuer signs a user in, like a password.
fn is_issuer(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
    let is_here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    // Errors and log lines contain the issuer, so it must not contain a password.
    let has_userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    uri.query().is_none() && !has_userinfo && (scheme == "https" || (scheme == "http" && is_here))
}

impl ConfigurationError {
    /// Replaces NAME in the name of the variable by the name of the provider.
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
