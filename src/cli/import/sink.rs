//! Where an import goes: to a running server, or into the data folder itself.

use anyhow::bail;
use souk_command_api::import::{ImportResult, LineResult, import_texts};
use souk_eventsourcing::{Actor, Clock as _, CorrelationId, Position};

use crate::cli::server::{self, Server};
use crate::clock::SystemClock;
use crate::configuration::Configuration;
use crate::embedded::Embedded;

/// The one or the other.
pub enum Sink {
    /// A shop of our own on the folder.
    Folder(Box<Embedded>, Position),
    /// A running server, and the position that its answers have reached.
    Server(Server, String),
}

impl Sink {
    /// The server of `--url`, else the one that holds the folder, else the folder itself.
    pub async fn open(configuration: &Configuration, url: Option<String>) -> anyhow::Result<Self> {
        if let Some(server) = Server::find(&configuration.data, url)? {
            return Ok(Self::Server(server, "0".to_owned()));
        }
        let shop = Embedded::start(configuration).await?;
        Ok(Self::Folder(Box::new(shop), Position::START))
    }

    /// Imports products, each a line of JSON; a dry run writes none. Returns one result each, in order.
    pub async fn send(&mut self, products: &[String], is_dry: bool) -> anyhow::Result<Vec<LineResult>> {
        match self {
            Self::Folder(shop, reached) => {
                let actor = Actor::new("admin", "import");
                let correlation = CorrelationId::from(SystemClock.new_id());
                let (results, position) =
                    import_texts(&shop.shop, products, actor, correlation, is_dry).await;
                *reached = position.max(*reached);
                Ok(results)
            }
            Self::Server(server, reached) => send_to(server, products, is_dry, reached).await,
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
            Self::Server(server, reached) => wait_for(&server, &reached).await,
        }
    }
}

async fn send_to(
    server: &Server,
    products: &[String],
    is_dry: bool,
    reached: &mut String,
) -> anyhow::Result<Vec<LineResult>> {
    let mut body = String::new();
    for product in products {
        body.push_str(product);
        body.push('\n');
    }
    let dry_run = if is_dry { "?dryRun=true" } else { "" };
    let request = server.post(&format!("/api/admin/import/products{dry_run}"))?;
    let answer = request.header("Content-Type", "application/x-ndjson").body(body).send().await?;
    let result: ImportResult = server::answered(answer).await?;
    *reached = result.position;
    Ok(result.lines)
}

async fn wait_for(server: &Server, reached: &str) -> anyhow::Result<()> {
    loop {
        let request = server.get("/api/products?limit=1")?.header("Prefer", "wait=30");
        let answer = request.header("X-Min-Position", reached).send().await?;
        if answer.status().is_success() {
            return Ok(());
        }
        if answer.status() != reqwest::StatusCode::SERVICE_UNAVAILABLE {
            bail!("the server answered {}", answer.status());
        }
    }
}
