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

/// Field of a provider that a variable sets.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProviderField {
    Issuer,
    ClientId,
    ClientSecret,
}

/// Variable of a provider: the name of the provider, the field that the variable sets, and the new value.
pub(super) type ProviderVariable = (String, ProviderField, String);

/// Splits variables into those of providers and all others. Leaves out variables of providers without a
/// value.
pub(super) fn split(variables: HashMap<String, String>) -> (Vec<ProviderVariable>, HashMap<String, String>) {
    let mut of_providers = Vec::new();
    let mut others = HashMap::new();
    for (variable, value) in variables {
        match provider_and_field(&variable) {
            Some((_, _)) if value.is_empty() => {}
            Some((name, field)) => of_providers.push((name, field, value)),
            None => {
                others.insert(variable, value);
            }
        }
    }
    (of_providers, others)
}

/// Returns true if this is the name of a variable of a provider, whatever the provider's name.
pub(super) fn is_variable(name: &str) -> bool {
    provider_and_field(name).is_some()
}

/// Returns the known variable that is suggested for a mistyped one. NAME is replaced by the provider name in
/// the mistyped one.
pub(super) fn with_provider_name(known: &str, mistyped: &str) -> String {
    let provider = mistyped.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
    match provider.filter(|_| VARIABLES.contains(&known)) {
        Some(provider) => known.replace("NAME", provider),
        None => known.to_owned(),
    }
}

fn provider_and_field(variable: &str) -> Option<(String, ProviderField)> {
    let rest = variable.strip_prefix(PREFIX)?;
    let suffixes = [
        ("_ISSUER", ProviderField::Issuer),
        ("_CLIENT_ID", ProviderField::ClientId),
        ("_CLIENT_SECRET", ProviderField::ClientSecret),
    ];
    let (name, field) =
        suffixes.into_iter().find_map(|(suffix, field)| Some((rest.strip_suffix(suffix)?, field)))?;
    Some((name.to_lowercase(), field))
}

/// Sets the values of variables. They override the values of the file.
pub(super) fn apply(raw: &mut BTreeMap<String, RawProvider>, variables: Vec<ProviderVariable>) {
    for (name, field, value) in variables {
        let provider = raw.entry(name).or_default();
        let target = match field {
            ProviderField::Issuer => &mut provider.issuer,
            ProviderField::ClientId => &mut provider.client_id,
            ProviderField::ClientSecret => &mut provider.client_secret,
        };
        *target = Some(value);
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
            let allowed = "NAME must be 1 to 32 characters from a to z and 0 to 9";
            return Err(not_allowed("SOUK_OIDC_NAME_ISSUER", &name, allowed));
        }
        let missing = |variable, name: &str| {
            not_allowed(variable, "", "every provider needs a value").of_provider(name)
        };
        let issuer = self.issuer.ok_or_else(|| missing("SOUK_OIDC_NAME_ISSUER", &name))?;
        if !is_issuer(&issuer) {
            let allowed = "must be an address such as https://accounts.example, without a user, a password \
                           and a query; http is allowed only on this machine";
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

/// Returns true if the text is an `https` address, or an `http` address on this machine, without a user, a
/// password and a query. TLS is needed because whoever can change the issuer's responses can sign in as any
/// user.
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
