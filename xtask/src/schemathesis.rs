//! `cargo xtask schemathesis`: the API tested from its own document, as an admin, as a customer and as
//! nobody. Every answer must match its schema, what the document allows must be taken, what it forbids
//! refused, and nothing may be a 500.
//!
//! The program is Python's; it is installed into the target folder from pinned hashes (`tests/api/`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::shop::{Server, admin_token, token};
use crate::workspace::{self, Profile};

/// Where its configuration lies.
const FOLDER: &str = "tests/api";
/// Shared with the shop, so that webhooks can be signed.
const WEBHOOK_SECRET: &str = "a-secret-of-this-test-run";
/// Cases of an operation and kind: as an admin, who sees the most.
pub(crate) const EXAMPLES: u32 = 60;
/// How many times fewer others make.
const OTHERS_SHARE: u32 = 4;

/// Counts of stock at the start: enough events that the position of the document's examples is reached.
const COUNTS: u32 = 50;

/// How much is tried.
#[derive(Args)]
pub(crate) struct SchemathesisOptions {
    /// Cases of an operation and kind, as an admin; as others a quarter of that.
    #[arg(long, default_value_t = EXAMPLES)]
    examples: u32,
}

/// Tests a shop of its own; false when something was found.
pub(crate) fn run(options: &SchemathesisOptions) -> Result<bool> {
    let souk = workspace::build_souk(Profile::Dev)?;
    tested(&souk, options.examples)
}

/// Tests a shop of its own; false when something was found.
pub(crate) fn tested(souk: &Path, examples: u32) -> Result<bool> {
    let program = install()?;
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("shop");
    tokio::runtime::Runtime::new()?.block_on(async {
        let variables = [("SOUK_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned())];
        let server = Server::start_on(souk, &data, "127.0.0.1:0", &variables).await?;
        let admin = admin_token(souk, &data)?;
        stock(&server.url, &admin).await?;
        let customer = token(souk, &data, "customer")?;
        let few = (examples / OTHERS_SHARE).max(1);
        let mut is_sound = true;
        for (who, bearer, examples) in
            [("an admin", Some(admin), examples), ("a customer", Some(customer), few), ("nobody", None, few)]
        {
            println!("as {who}");
            is_sound &= test_as(&program, &server.url, bearer, examples)?;
        }
        server.stop()?;
        Ok(is_sound)
    })
}

/// What the document's examples name is there, so that they are more than well-formed.
async fn stock(url: &str, admin: &str) -> Result<()> {
    let price = serde_json::json!({ "amount": 255, "currency": "GBP" });
    let product = serde_json::json!({ "name": "White hanging heart", "sku": "85123A", "price": price });
    let client = reqwest::Client::new();
    let count = |more| serde_json::json!({ "sku": "85123A", "onHand": 1_000_000 + more });
    let counts = (0..COUNTS).map(|more| ("/api/inventory/stock", count(more)));
    for (path, body) in std::iter::once(("/api/products", product)).chain(counts) {
        let request = client.post(format!("{url}{path}")).bearer_auth(admin).header("X-API-Version", "v1");
        request.json(&body).send().await?.error_for_status()?;
    }
    Ok(())
}

fn test_as(program: &Path, url: &str, bearer: Option<String>, examples: u32) -> Result<bool> {
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root().join(FOLDER))
        .env("PYTHONPATH", ".")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SOUK_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .args(["run", "--no-color", &format!("{url}/openapi.json"), "--url", url])
        .args(["--max-examples", &examples.to_string()]);
    if let Some(bearer) = bearer {
        command.arg("--header").arg(format!("Authorization: Bearer {bearer}"));
    }
    let status = command.status().with_context(|| format!("{} can't be run", program.display()))?;
    // 1: something was found. Anything else that is not 0: it could not be run.
    ensure!(matches!(status.code(), Some(0 | 1)), "schemathesis ended with {status}");
    Ok(status.success())
}

/// Installs the program when it is not there as it is pinned.
fn install() -> Result<PathBuf> {
    let requirements = workspace::root().join(FOLDER).join("requirements.txt");
    let folder = workspace::target_folder()?.join("schemathesis");
    let (program, installed) = (folder.join("bin/schemathesis"), folder.join("requirements.txt"));
    let pinned = std::fs::read(&requirements)?;
    if program.exists() && std::fs::read(&installed).is_ok_and(|text| text == pinned) {
        return Ok(program);
    }
    let run = |command: &mut Command| -> Result<()> {
        let status = command.status().with_context(|| format!("{command:?} can't be run"))?;
        ensure!(status.success(), "{command:?} ended with {status}");
        Ok(())
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
    run(pip.arg("--requirement").arg(&requirements))?;
    std::fs::write(&installed, pinned)?;
    Ok(program)
}
