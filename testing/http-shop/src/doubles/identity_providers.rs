//! Identity providers without a network.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use souk_domain::Email;
use souk_sign_in::identity_provider::{Flow, FlowStart, Identity};
use souk_sign_in::{IdentityProviders, ProviderFailed};

/// Scripted identity providers. `work` and `home` take the subject and the e-mail address from the code, such as
/// `7|ada@example.org`. `down` is not available. `strict` announces that its responses name the issuer.
#[derive(Default)]
pub(crate) struct ScriptedProviders {
    flows: AtomicU32,
}

#[async_trait]
impl IdentityProviders for ScriptedProviders {
    fn has(&self, name: &str) -> bool {
        ["work", "home", "down", "strict"].contains(&name)
    }

    fn issuer(&self, name: &str) -> Option<String> {
        self.has(name).then(|| format!("https://{name}.example"))
    }

    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<FlowStart, ProviderFailed> {
        if name == "down" {
            return Err(ProviderFailed::Unavailable("it is down".to_owned()));
        }
        let text = str::to_owned;
        let state = format!("{name}{}", self.flows.fetch_add(1, Ordering::Relaxed));
        let url = format!("https://{name}.example/authorize?redirect_uri={redirect_uri}&state={state}");
        Ok(FlowStart {
            url,
            issuer: format!("https://{name}.example"),
            sends_issuer: name == "strict",
            state,
            nonce: text("nonce"),
            verifier: text("verifier"),
        })
    }

    async fn finish(&self, flow: &Flow, code: &str, _: &str) -> Result<Identity, ProviderFailed> {
        let (subject, email) = code.split_once('|').ok_or(ProviderFailed::Refused("no code".to_owned()))?;
        Ok(Identity {
            issuer: flow.issuer.clone(),
            subject: subject.to_owned(),
            verified_email: Email::parse(email).ok(),
            name: Some("Ada\u{0} of Work".to_owned()),
        })
    }
}
