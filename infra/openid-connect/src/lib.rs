//! Identity providers with OpenID Connect: discovery, and the authorization code flow with PKCE, state and
//! nonce.
//!
//! A provider's metadata and signing keys are read when they are first needed, and then cached for ten
//! minutes. A provider that is down, or that sends wrong metadata, affects only sign-ins by this provider.

mod exchange;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGrantType, CoreIdTokenClaims, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata,
    RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use souk_domain::Email;
use souk_eventsourcing::Clock;
use souk_sign_in::identity_provider::{Flow, FlowStart, Identity};
use souk_sign_in::{IdentityProviders, ProviderFailed};
use tokio::sync::Mutex;

use exchange::Exchange;

/// Time for which a provider's metadata is cached.
const METADATA_TTL: SignedDuration = SignedDuration::from_mins(10);
/// Time for which a failed read of the metadata is cached, so that waiting sign-ins do not repeat it one by
/// one.
const FAILURE_TTL: SignedDuration = SignedDuration::from_secs(5);
/// Minimum age at which metadata is read again because the verification of a token failed.
const RELOAD_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Limit of the length of a name, subject or code, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;

/// Configuration of an identity provider.
#[derive(Clone)]
pub struct Provider {
    /// Name of the provider in this shop.
    pub name: String,
    /// Issuer URL of the provider.
    pub issuer: String,
    /// Client id of this shop at the provider.
    pub client_id: String,
    /// Client secret of this shop at the provider.
    pub client_secret: String,
}

/// All identity providers of a shop, by name.
pub struct OpenIdConnect {
    providers: HashMap<String, ProviderEntry>,
    clock: Arc<dyn Clock>,
}

/// A configured provider with its HTTP client and its cached metadata.
struct ProviderEntry {
    provider: Provider,
    exchange: Exchange,
    /// The last read of the metadata, with its time.
    metadata: Mutex<Option<(Timestamp, MetadataResult)>>,
}

/// Metadata of a provider, or the reason why they can't be used.
type MetadataResult = Result<Arc<Metadata>, ProviderFailed>;

/// Metadata of a provider: its discovery document and its signing keys.
type Metadata = ProviderMetadata<
    MoreMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Fields of the discovery document that the library does not parse.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct MoreMetadata {
    /// True if the provider adds its issuer (`iss`) to every redirect back to the shop (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for MoreMetadata {}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
fn unavailable(reason: impl ToString) -> ProviderFailed {
    ProviderFailed::Unavailable(reason.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
fn refused(reason: impl ToString) -> ProviderFailed {
    ProviderFailed::Refused(reason.to_string())
}

impl OpenIdConnect {
    /// Creates the clients of these providers. No request is sent yet.
    pub fn new(providers: Vec<Provider>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let entry = |provider: Provider| -> io::Result<(String, ProviderEntry)> {
            let exchange = Exchange::new(is_https(&provider.issuer))?;
            Ok((provider.name.clone(), ProviderEntry { provider, exchange, metadata: Mutex::new(None) }))
        };
        Ok(Self { providers: providers.into_iter().map(entry).collect::<io::Result<_>>()?, clock })
    }

    fn entry(&self, name: &str) -> Result<&ProviderEntry, ProviderFailed> {
        self.providers.get(name).ok_or_else(|| unavailable("it is not configured"))
    }

    /// Returns the metadata of a provider, from the cache or from the provider. Concurrent callers wait for
    /// one request.
    async fn metadata(&self, entry: &ProviderEntry) -> MetadataResult {
        let mut cached = entry.metadata.lock().await;
        let now = self.clock.now();
        if let Some((at, result)) = cached.as_ref() {
            let ttl = if result.is_ok() { METADATA_TTL } else { FAILURE_TTL };
            if now.duration_since(*at) < ttl {
                return result.clone();
            }
        }
        let result = entry.read_metadata().await;
        *cached = Some((self.clock.now(), result.clone()));
        result
    }

    /// Drops the cached metadata of a provider, because its signing keys may have changed. Returns false, and
    /// keeps them, if they are younger than [`RELOAD_AFTER`].
    async fn drop_old_metadata(&self, name: &str) -> Result<bool, ProviderFailed> {
        let mut cached = self.entry(name)?.metadata.lock().await;
        let now = self.clock.now();
        let is_old = cached.as_ref().is_none_or(|(at, _)| now.duration_since(*at) >= RELOAD_AFTER);
        if is_old {
            *cached = None;
        }
        Ok(is_old)
    }

    async fn client(
        &self,
        name: &str,
        redirect_uri: &str,
    ) -> Result<(Client, Arc<Metadata>), ProviderFailed> {
        let entry = self.entry(name)?;
        let metadata = self.metadata(entry).await?;
        let id = ClientId::new(entry.provider.client_id.clone());
        let secret = ClientSecret::new(entry.provider.client_secret.clone());
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(unavailable)?;
        let client = CoreClient::from_provider_metadata(metadata.as_ref().clone(), id, Some(secret));
        Ok((client.set_redirect_uri(redirect), metadata))
    }
}

impl ProviderEntry {
    async fn read_metadata(&self) -> MetadataResult {
        let issuer = IssuerUrl::new(self.provider.issuer.clone()).map_err(unavailable)?;
        // The library checks that the document names the same issuer.
        let metadata = Metadata::discover_async(issuer, &self.exchange).await;
        let metadata = metadata.map_err(unavailable)?;
        // The library does not check the page that browsers are sent to.
        if is_https(&self.provider.issuer) && metadata.authorization_endpoint().url().scheme() != "https" {
            return Err(unavailable("its sign-in page has no https URL"));
        }
        Ok(Arc::new(metadata))
    }
}

fn is_https(address: &str) -> bool {
    address.starts_with("https://")
}

#[async_trait]
impl IdentityProviders for OpenIdConnect {
    fn has(&self, name: &str) -> bool {
        self.providers.contains_key(name)
    }

    fn issuer(&self, name: &str) -> Option<String> {
        self.providers.get(name).map(|entry| entry.provider.issuer.clone())
    }

    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<FlowStart, ProviderFailed> {
        let (client, metadata) = self.client(name, redirect_uri).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(FlowStart {
            url: url.to_string(),
            issuer: metadata.issuer().to_string(),
            sends_issuer: metadata
                .additional_metadata()
                .authorization_response_iss_parameter_supported
                .unwrap_or(false),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    async fn finish(&self, flow: &Flow, code: &str, redirect_uri: &str) -> Result<Identity, ProviderFailed> {
        if code.len() > TEXT_BYTES_MAX {
            return Err(refused("its code is too long"));
        }
        let (client, metadata) = self.client(&flow.provider, redirect_uri).await?;
        if metadata.issuer().as_str() != flow.issuer {
            return Err(refused("its issuer has changed since the sign-in began"));
        }
        let code = AuthorizationCode::new(code.to_owned());
        let request = client.exchange_code(code).map_err(unavailable)?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let token_response = request.request_async(&self.entry(&flow.provider)?.exchange).await.map_err(
            |error| match error {
                RequestTokenError::ServerResponse(response) => {
                    refused(format!("it refuses the code: {}", response.error()))
                }
                RequestTokenError::Parse(..) => refused("its token response can't be parsed"),
                error => unavailable(error),
            },
        )?;
        let refused = match identity(&client, &token_response, flow) {
            Ok(identity) => return Ok(identity),
            Err(refused) => refused,
        };
        if !self.drop_old_metadata(&flow.provider).await? {
            return Err(refused);
        }
        let (client, _) = self.client(&flow.provider, redirect_uri).await?;
        identity(&client, &token_response, flow)
    }
}

/// Returns the identity in the ID token, after checking the token's signature, audience and nonce.
fn identity(client: &Client, response: &CoreTokenResponse, flow: &Flow) -> Result<Identity, ProviderFailed> {
    let token = response.id_token().ok_or_else(|| refused("it sent no ID token"))?;
    let nonce = Nonce::new(flow.nonce.clone());
    let claims: &CoreIdTokenClaims = token.claims(&client.id_token_verifier(), &nonce).map_err(refused)?;
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > TEXT_BYTES_MAX {
        return Err(refused("its subject is empty or too long"));
    }
    let email = claims.email().filter(|_| claims.email_verified() == Some(true));
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    Ok(Identity {
        issuer: flow.issuer.clone(),
        subject: subject.to_owned(),
        verified_email: email.and_then(|email| Email::parse(email.as_str()).ok()),
        name: name.filter(|name| name.len() <= TEXT_BYTES_MAX).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
