//! Identity providers by OpenID Connect: discovery, authorization code with PKCE, state and nonce.
//!
//! A provider's document and keys are read when they are needed and kept for a while; one that is down or
//! lies costs its own sign-ins and nothing else.

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
use souk_sign_in::identity_provider::{Begun, Flow, Identity};
use souk_sign_in::{IdentityProviders, ProviderFailed};
use tokio::sync::Mutex;

use exchange::Exchange;

/// How long what a provider says of itself is believed.
const BELIEVED: SignedDuration = SignedDuration::from_mins(10);
/// How long a provider that couldn't be asked is not asked again: those who wait ask one after another.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(5);
/// How old what it says of itself must be to be asked anew when its word doesn't hold.
const ANEW_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// The longest name, subject or code that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;

/// A provider as it is configured.
#[derive(Clone)]
pub struct Provider {
    /// What this shop calls it.
    pub name: String,
    /// What it calls itself.
    pub issuer: String,
    /// What it calls this shop.
    pub client_id: String,
    /// What this shop shows it.
    pub client_secret: String,
}

/// The providers of a shop.
pub struct OpenIdConnect {
    providers: HashMap<String, Known>,
    clock: Arc<dyn Clock>,
}

/// A provider, and what it said of itself.
struct Known {
    provider: Provider,
    exchange: Exchange,
    said: Mutex<Option<(Timestamp, Said)>>,
}

/// Its document, or why there is none.
type Said = Result<Arc<Metadata>, ProviderFailed>;

/// A provider's document.
type Metadata = ProviderMetadata<
    Announced,
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

/// Fields of the document that the library does not know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Announced {
    /// True for a provider that names itself by `iss` in each answer (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Announced {}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

#[expect(clippy::needless_pass_by_value, reason = "it is handed over like this")]
fn unavailable(reason: impl ToString) -> ProviderFailed {
    ProviderFailed::Unavailable(reason.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed over like this")]
fn refused(reason: impl ToString) -> ProviderFailed {
    ProviderFailed::Refused(reason.to_string())
}

impl OpenIdConnect {
    /// These; none of them is asked yet.
    pub fn new(providers: Vec<Provider>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let known = |provider: Provider| -> io::Result<(String, Known)> {
            let exchange = Exchange::new(is_https(&provider.issuer))?;
            Ok((provider.name.clone(), Known { provider, exchange, said: Mutex::new(None) }))
        };
        Ok(Self { providers: providers.into_iter().map(known).collect::<io::Result<_>>()?, clock })
    }

    fn known(&self, name: &str) -> Result<&Known, ProviderFailed> {
        self.providers.get(name).ok_or_else(|| unavailable("it is not configured"))
    }

    /// What a provider says of itself, with its keys. Only one asks at a time.
    async fn metadata(&self, known: &Known) -> Result<Arc<Metadata>, ProviderFailed> {
        let (mut kept, now) = (known.said.lock().await, self.clock.now());
        if let Some((at, said)) = kept.as_ref() {
            let good_for = if said.is_ok() { BELIEVED } else { LEFT_ALONE };
            if now.duration_since(*at) < good_for {
                return said.clone();
            }
        }
        let said = known.ask().await;
        *kept = Some((self.clock.now(), said.clone()));
        said
    }

    /// Forgets what a provider said of itself, unless that was a moment ago: its keys may have changed. Whether
    /// it is asked anew.
    async fn disbelieve(&self, name: &str) -> Result<bool, ProviderFailed> {
        let mut kept = self.known(name)?.said.lock().await;
        let now = self.clock.now();
        let is_old = kept.as_ref().is_none_or(|(at, _)| now.duration_since(*at) >= ANEW_AFTER);
        if is_old {
            *kept = None;
        }
        Ok(is_old)
    }

    async fn client(
        &self,
        name: &str,
        redirect_uri: &str,
    ) -> Result<(Client, Arc<Metadata>), ProviderFailed> {
        let known = self.known(name)?;
        let metadata = self.metadata(known).await?;
        let id = ClientId::new(known.provider.client_id.clone());
        let secret = ClientSecret::new(known.provider.client_secret.clone());
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(unavailable)?;
        let client = CoreClient::from_provider_metadata(metadata.as_ref().clone(), id, Some(secret));
        Ok((client.set_redirect_uri(redirect), metadata))
    }
}

impl Known {
    async fn ask(&self) -> Said {
        let issuer = IssuerUrl::new(self.provider.issuer.clone()).map_err(unavailable)?;
        // Its issuer has to be the one that was asked: the library compares them.
        let metadata = Metadata::discover_async(issuer, &self.exchange).await;
        let metadata = metadata.map_err(unavailable)?;
        // Where browsers are sent has to be as safe as what is asked from here.
        if is_https(&self.provider.issuer) && metadata.authorization_endpoint().url().scheme() != "https" {
            return Err(unavailable("its page for signing in is not reached over TLS"));
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
        self.providers.get(name).map(|known| known.provider.issuer.clone())
    }

    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<Begun, ProviderFailed> {
        let (client, metadata) = self.client(name, redirect_uri).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Begun {
            url: url.to_string(),
            issuer: metadata.issuer().to_string(),
            names_itself: metadata
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
            return Err(refused("it calls itself otherwise than when the sign-in began"));
        }
        let code = AuthorizationCode::new(code.to_owned());
        let request = client.exchange_code(code).map_err(unavailable)?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let answered = request.request_async(&self.known(&flow.provider)?.exchange).await.map_err(
            |error| match error {
                RequestTokenError::ServerResponse(said) => {
                    refused(format!("it refuses the code: {}", said.error()))
                }
                RequestTokenError::Parse(..) => refused("its answer is none"),
                error => unavailable(error),
            },
        )?;
        let refused = match identity(&client, &answered, flow) {
            Ok(identity) => return Ok(identity),
            Err(refused) => refused,
        };
        if !self.disbelieve(&flow.provider).await? {
            return Err(refused);
        }
        let (client, _) = self.client(&flow.provider, redirect_uri).await?;
        identity(&client, &answered, flow)
    }
}

/// Who it is, when the provider's word is signed, meant for this shop and for this sign-in.
fn identity(client: &Client, answered: &CoreTokenResponse, flow: &Flow) -> Result<Identity, ProviderFailed> {
    let token = answered.id_token().ok_or_else(|| refused("it says nothing of who it is"))?;
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
