//! Target of an import: a running server, or the data folder.

use anyhow::bail;
use souk_command_api::import::{ImportResult, LineResult, import_texts};
use souk_configuration::Configuration;
use souk_eventsourcing::{Actor, Clock as _, CorrelationId, Position};
use tempfile::TempDir;

use crate::cli::output;
use crate::cli::server::{self, Server};
use crate::clock::SystemClock;
use crate::data_folder::{DataFolderError, require_shop};
use crate::embedded::Embedded;

/// Target of an import.
pub enum Sink {
    /// The data folder, opened by this process, and the last position that the import wrote. A dry run
    /// without a shop uses a temporary folder, which is deleted afterwards.
    Folder(Box<Embedded>, Position, Option<TempDir>),
    /// A running server, and the last position that its responses named.
    Server(Server, String),
}

impl Sink {
    /// Returns the server of `--url`. Without `--url`, returns the server that has locked the data folder, or
    /// opens the folder itself if no server has locked it. If the folder has no shop, an import creates one
    /// and prints a warning, because the name of the folder may be mistyped. A dry run never creates a data
    /// folder.
    pub async fn open(
        configuration: &Configuration,
        url: Option<String>,
        is_dry: bool,
    ) -> anyhow::Result<Self> {
        if let Some(server) = Server::find(&configuration.data, url)? {
            return Ok(Self::Server(server, "0".to_owned()));
        }
        let folder = configuration.data.display();
        let is_new = match require_shop(&configuration.data) {
            Ok(()) => false,
            Err(DataFolderError::NoShop { .. }) => true,
            Err(error) => return Err(error.into()),
        };
        if is_new && is_dry {
            output::warn(format!("there is no shop in {folder}: an import would create a new one there"));
            let temporary = tempfile::tempdir()?;
            let configuration = Configuration { data: temporary.path().to_owned(), ..configuration.clone() };
            let shop = Embedded::start(&configuration).await?;
            return Ok(Self::Folder(Box::new(shop), Position::START, Some(temporary)));
        }
        let shop = Embedded::start(configuration).await?;
        if is_new {
            output::warn(format!("there was no shop in {folder}: this import created a new one there"));
        }
        Ok(Self::Folder(Box::new(shop), Position::START, None))
    }

    /// Imports products. Each product is one line of JSON. Returns one result for each product, in order. A
    /// dry run writes nothing.
    pub async fn send(&mut self, products: &[String], is_dry: bool) -> anyhow::Result<Vec<LineResult>> {
        match self {
            Self::Folder(shop, reached, _) => {
                let actor = Actor::new("admin", "import");
                let correlation = CorrelationId::from(SystemClock.new_id());
                let (results, position) =
                    import_texts(&shop.ports, products, actor, correlation, is_dry).await;
                *reached = position.max(*reached);
                Ok(results)
            }
            Self::Server(server, reached) => send_to(server, products, is_dry, reached).await,
        }
    }

    /// Waits until the read models contain all imported products, and closes the target.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Folder(shop, reached, temporary) => {
                shop.wait_for(reached).await;
                shop.stop().await;
                drop(temporary);
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
    let response = request.header("Content-Type", "application/x-ndjson").body(body).send().await?;
    let result: ImportResult = server::json_body(response).await?;
    *reached = result.position;
    Ok(result.lines)
}

async fn wait_for(server: &Server, reached: &str) -> anyhow::Result<()> {
    loop {
        let request = server.get("/api/products?limit=1")?.header("Prefer", "wait=30");
        let response = request.header("X-Min-Position", reached).send().await?;
        if response.status().is_success() {
            return Ok(());
        }
        if response.status() != reqwest::StatusCode::SERVICE_UNAVAILABLE {
            bail!("the server responded with {}", response.status());
        }
    }
}
