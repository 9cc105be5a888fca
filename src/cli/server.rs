//! HTTP client of the command line. The server is the one of `--url`, or the one that has locked the data
//! folder.

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

/// Lifetime of a token that the command line signs. Each request has a new token.
const TOKEN_TTL: Duration = Duration::from_secs(60);

/// A running server that a command sends requests to.
pub struct Server {
    client: Client,
    url: String,
    token: TokenSource,
}

/// Source of the token in a request.
enum TokenSource {
    /// A fixed token, from `SOUK_TOKEN`.
    Fixed(String),
    /// The keys of the data folder, which sign a new token for each request.
    Folder(Box<Keys>),
}

impl Server {
    /// Returns the server at the URL. Without a URL, returns the server that has locked the folder, if any.
    pub fn find(folder: &Path, url: Option<String>) -> anyhow::Result<Option<Self>> {
        let server = |url: String, token| Some(Self { client: Client::new(), url, token });
        if let Some(url) = url {
            let token =
                std::env::var("SOUK_TOKEN").context("--url needs an administrator's token in SOUK_TOKEN")?;
            return Ok(server(url.trim_end_matches('/').to_owned(), TokenSource::Fixed(token)));
        }
        let Some(holder) = holder(folder) else { return Ok(None) };
        let url =
            holder.address.context("the data folder is locked by a process that does not listen yet")?;
        Ok(server(url, TokenSource::Folder(Box::new(keys_of(folder)?))))
    }

    fn token(&self) -> anyhow::Result<String> {
        Ok(match &self.token {
            TokenSource::Fixed(token) => token.clone(),
            TokenSource::Folder(keys) => {
                let subject = CustomerId::parse("command-line")?;
                let grant = Grant { subject: &subject, role: Role::Admin, ttl: TOKEN_TTL, session: None };
                identity::issue(keys, grant, SystemClock.now(), SystemClock.new_id())
            }
        })
    }

    /// Creates a GET request with the token.
    pub fn get(&self, path: &str) -> anyhow::Result<RequestBuilder> {
        let request = self.client.get(format!("{}{path}", self.url));
        Ok(request.bearer_auth(self.token()?).header("X-API-Version", "v1"))
    }

    /// Creates a POST request with the token.
    pub fn post(&self, path: &str) -> anyhow::Result<RequestBuilder> {
        let request = self.client.post(format!("{}{path}", self.url));
        Ok(request.bearer_auth(self.token()?).header("X-API-Version", "v1"))
    }
}

/// Reads the JSON body of a response. If the response is a problem, returns its code and detail as the error.
pub async fn json_body<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let status = response.status();
    let text = response.text().await?;
    if status.is_success() {
        return Ok(serde_json::from_str(&text)?);
    }
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    match (problem["code"].as_str(), problem["detail"].as_str()) {
        (Some(code), Some(detail)) => bail!("{code}: {detail}"),
        _ => bail!("the server responded with {status}: {}", quoted(&text)),
    }
}
