//! A running server, as commands ask it: the one of `--url`, or the one that holds the data folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use souk_domain::CustomerId;
use souk_domain::text::quoted;
use souk_eventsourcing::Clock as _;
use souk_http::identity::{self, Grant};
use souk_http::{Keys, Role};

use crate::clock::SystemClock;
use crate::data_folder::{holder, keys_of};

/// How long the command line's own token lasts; each request has a new one.
const TOKEN_TTL: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    client: Client,
    url: String,
    token: TokenSource,
}

/// Where tokens come from.
enum TokenSource {
    /// Somebody gave one.
    Given(String),
    /// The folder's key signs one.
    Folder(Box<Keys>),
}

impl Server {
    /// The server of this address, else the one that holds the folder, if one does.
    pub fn find(folder: &Path, url: Option<String>) -> anyhow::Result<Option<Self>> {
        let server = |url: String, token| Some(Self { client: Client::new(), url, token });
        if let Some(url) = url {
            let token =
                std::env::var("SOUK_TOKEN").context("with --url, SOUK_TOKEN holds an admin's token")?;
            return Ok(server(url.trim_end_matches('/').to_owned(), TokenSource::Given(token)));
        }
        let Some(holder) = holder(folder) else { return Ok(None) };
        let url = holder.address.context("the data folder is held by a process that does not listen yet")?;
        Ok(server(url, TokenSource::Folder(Box::new(keys_of(folder)?))))
    }

    fn token(&self) -> anyhow::Result<String> {
        Ok(match &self.token {
            TokenSource::Given(token) => token.clone(),
            TokenSource::Folder(keys) => {
                let subject = CustomerId::parse("command-line")?;
                let (now, id) = (SystemClock.now(), SystemClock.new_id());
                let grant = Grant { subject: &subject, role: Role::Admin, ttl: TOKEN_TTL, session: None };
                identity::issue(keys, grant, now, id)
            }
        })
    }

    /// A read.
    pub fn get(&self, path: &str) -> anyhow::Result<RequestBuilder> {
        let request = self.client.get(format!("{}{path}", self.url));
        Ok(request.bearer_auth(self.token()?).header("X-API-Version", "v1"))
    }

    /// A write.
    pub fn post(&self, path: &str) -> anyhow::Result<RequestBuilder> {
        let request = self.client.post(format!("{}{path}", self.url));
        Ok(request.bearer_auth(self.token()?).header("X-API-Version", "v1"))
    }
}

/// The body of an answer, or what its problem says.
pub async fn answered<T: DeserializeOwned>(answer: Response) -> anyhow::Result<T> {
    let status = answer.status();
    let text = answer.text().await?;
    if status.is_success() {
        return Ok(serde_json::from_str(&text)?);
    }
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    match (problem["code"].as_str(), problem["detail"].as_str()) {
        (Some(code), Some(detail)) => bail!("{code}: {detail}"),
        _ => bail!("the server answered {status}: {}", quoted(&text)),
    }
}
