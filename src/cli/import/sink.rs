//! Where an import goes: to a running server, or into the data folder itself.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use souk_command_api::import::{ImportResult, LineResult, import_values};
use souk_domain::CustomerId;
use souk_eventsourcing::{Actor, Clock as _, CorrelationId, Position};
use souk_web::{Keys, Role, identity};

use crate::clock::SystemClock;
use crate::configuration::Configuration;
use crate::data_folder::holder;
use crate::embedded::Embedded;

/// How long the command line's own token lasts; each request has a new one.
const TOKEN_TTL: Duration = Duration::from_secs(60);

/// The one or the other.
pub enum Sink {
    /// A shop of our own on the folder.
    Folder(Box<Embedded>, Position),
    /// A running server.
    Server(Server),
}

/// A running server.
pub struct Server {
    client: reqwest::Client,
    url: String,
    token: TokenSource,
    reached: String,
}

/// Where tokens come from.
enum TokenSource {
    /// Somebody gave one.
    Given(String),
    /// The folder's key signs one.
    Folder(Box<Keys>),
}

impl Sink {
    /// The server of `--url`, else the one that holds the folder, else the folder itself.
    pub async fn open(configuration: &Configuration, url: Option<String>) -> anyhow::Result<Self> {
        let server = |url: String, token| {
            let client = reqwest::Client::new();
            Self::Server(Server { client, url, token, reached: "0".to_owned() })
        };
        if let Some(url) = url {
            let token =
                std::env::var("SOUK_TOKEN").context("with --url, SOUK_TOKEN holds an admin's token")?;
            return Ok(server(url.trim_end_matches('/').to_owned(), TokenSource::Given(token)));
        }
        if let Some(holder) = holder(&configuration.data) {
            let url =
                holder.address.context("the data folder is held by a process that does not listen yet")?;
            let keys = Keys::open(&configuration.data)?;
            return Ok(server(url, TokenSource::Folder(Box::new(keys))));
        }
        let shop = Embedded::start(configuration).await?;
        Ok(Self::Folder(Box::new(shop), Position::START))
    }

    /// Imports products; answers one result each, in order.
    pub async fn send(&mut self, products: Vec<Value>) -> anyhow::Result<Vec<LineResult>> {
        match self {
            Self::Folder(shop, reached) => {
                let actor = Actor::new("admin", "import");
                let correlation = CorrelationId::from(SystemClock.new_id());
                let (results, position) = import_values(&shop.shop, products, &actor, &correlation).await;
                *reached = position.max(*reached);
                Ok(results)
            }
            Self::Server(server) => server.send(&products).await,
        }
    }

    /// Waits until the read models have everything.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Folder(shop, reached) => {
                shop.wait_for(reached).await;
                shop.stop().await;
                Ok(())
            }
            Self::Server(server) => server.wait().await,
        }
    }
}

impl Server {
    fn token(&self) -> anyhow::Result<String> {
        Ok(match &self.token {
            TokenSource::Given(token) => token.clone(),
            TokenSource::Folder(keys) => {
                let subject = CustomerId::parse("command-line")?;
                identity::issue(
                    keys,
                    &subject,
                    Role::Admin,
                    TOKEN_TTL,
                    SystemClock.now(),
                    SystemClock.new_id(),
                )
            }
        })
    }

    async fn send(&mut self, products: &[Value]) -> anyhow::Result<Vec<LineResult>> {
        let mut body = String::new();
        for product in products {
            body.push_str(&product.to_string());
            body.push('\n');
        }
        let url = format!("{}/api/admin/import/products", self.url);
        let request = self.client.post(url).bearer_auth(self.token()?).header("X-API-Version", "v1");
        let answer = request.header("Content-Type", "application/x-ndjson").body(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the server answered {status}: {text}");
        }
        let result: ImportResult = serde_json::from_str(&text)?;
        self.reached = result.position;
        Ok(result.lines)
    }

    async fn wait(&self) -> anyhow::Result<()> {
        let url = format!("{}/api/products?limit=1", self.url);
        loop {
            let request = self.client.get(&url).header("X-API-Version", "v1").header("Prefer", "wait=30");
            let answer = request.header("X-Min-Position", &self.reached).send().await?;
            if answer.status().is_success() {
                return Ok(());
            }
            if answer.status() != reqwest::StatusCode::SERVICE_UNAVAILABLE {
                bail!("the server answered {}", answer.status());
            }
        }
    }
}
