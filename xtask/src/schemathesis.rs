//! `cargo xtask schemathesis`: the API tested from its own document, as everybody who may call it. Every
//! answer must match its schema, what the document allows must be taken, what it forbids refused, and nothing
//! may be a 500.
//!
//! The program is Python's; it is installed into the target folder from pinned hashes (`tests/api/`).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::python;
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
/// What the document's examples buy.
const SKU: &str = "85123A";
/// What a person of these tests signs in with: not the document's example, with which they would erase
/// themselves.
const PASSWORD: &str = "zebra horse battery";
/// What the program begins its lists of findings with.
const FINDINGS: [&str; 2] = [" FAILURES ", " ERRORS "];

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

/// Somebody who calls the shop.
struct Caller {
    who: &'static str,
    /// What says who it is.
    header: Option<String>,
    examples: u32,
}

/// Tests a shop of its own; false when something was found.
pub(crate) fn tested(souk: &Path, examples: u32) -> Result<bool> {
    let program = python::install("schemathesis", &Path::new(FOLDER).join("requirements.txt"))?;
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("shop");
    tokio::runtime::Runtime::new()?.block_on(async {
        let variables = [("SOUK_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned())];
        let server = Server::start_on(souk, &data, "127.0.0.1:0", &variables).await?;
        let admin = admin_token(souk, &data)?;
        stock(&server.url, &admin).await?;
        let few = (examples / OTHERS_SHARE).max(1);
        let bearer = |token: &str| Some(format!("Authorization: Bearer {token}"));
        let mut found = Vec::new();
        for (who, header, examples) in [
            ("a customer", bearer(&signed_up(&server.url).await?), few),
            ("an admin", bearer(&admin), examples),
            ("a service", bearer(&token(souk, &data, "service")?), few),
            ("a guest", Some(format!("X-Cart-Token: {}", cart_token(&server.url).await?)), few),
            ("nobody", None, few),
        ] {
            println!("as {who}");
            let of_caller = test_as(&program, &server.url, &Caller { who, header, examples })?;
            found.extend(of_caller.iter().map(|finding| format!("WRONG  as {who}: {finding}")));
        }
        server.stop()?;
        for finding in &found {
            println!("{finding}");
        }
        Ok(found.is_empty())
    })
}

/// What the document's examples name is there, so that they are more than well-formed.
async fn stock(url: &str, admin: &str) -> Result<()> {
    let price = json!({ "amount": 255, "currency": "GBP" });
    let product = json!({ "name": "White hanging heart", "sku": SKU, "price": price });
    let client = reqwest::Client::new();
    let count = |more| json!({ "sku": SKU, "onHand": 1_000_000 + more });
    let counts = (0..COUNTS).map(|more| ("/api/inventory/stock", count(more)));
    for (path, body) in std::iter::once(("/api/products", product)).chain(counts) {
        let request = client.post(format!("{url}{path}")).bearer_auth(admin).header("X-API-Version", "v1");
        request.json(&body).send().await?.error_for_status()?;
    }
    Ok(())
}

/// Signs somebody up; their access token.
async fn signed_up(url: &str) -> Result<String> {
    let body = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    let answer = reqwest::Client::new().post(format!("{url}/api/auth/signup")).json(&body).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    let token = answer["accessToken"].as_str().with_context(|| format!("no token: {answer}"))?;
    Ok(token.to_owned())
}

/// The token of a cart with something in it.
async fn cart_token(url: &str) -> Result<String> {
    let request = reqwest::Client::new().post(format!("{url}/api/cart/items")).header("X-API-Version", "v1");
    let answer = request.json(&json!({ "sku": SKU, "quantity": 1 })).send().await?.error_for_status()?;
    let token = answer.headers().get("X-Cart-Token").context("a cart without a token")?;
    Ok(token.to_str()?.to_owned())
}

/// Runs the program; what it found.
fn test_as(program: &Path, url: &str, caller: &Caller) -> Result<Vec<String>> {
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root().join(FOLDER))
        .env("PYTHONPATH", ".")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SOUK_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .env("SOUK_CALLER", caller.who)
        .args(["run", "--no-color", &format!("{url}/openapi.json"), "--url", url])
        .args(["--max-examples", &caller.examples.to_string()])
        .args(caller.header.iter().flat_map(|header| ["--header", header]))
        .stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("{} can't be run", program.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}");
    // 1: something was found. Anything else that is not 0: it could not be run.
    ensure!(matches!(output.status.code(), Some(0 | 1)), "schemathesis ended with {}", output.status);
    let found = findings(&printed);
    ensure!(
        output.status.success() || !found.is_empty(),
        "schemathesis found something and doesn't say what"
    );
    Ok(found)
}

/// What was found, out of all that was printed: a text for each operation, without empty lines.
fn findings(printed: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_finding = false;
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("===") {
            is_finding = FINDINGS.iter().any(|title| line.contains(title));
        } else if is_finding && line.starts_with("___") {
            found.push(line.trim_matches(['_', ' ']).to_owned());
        } else if is_finding && let Some(last) = found.last_mut() {
            last.extend(["\n", line]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_picked_out_of_what_was_printed() {
        let printed = "as\n\n=== ERRORS ===\n___ GET /b ___\nNo answer\n\nNeed help?\n=== FAILURES ===\n___ GET /a ___\n\
            1. Test Case ID: x\n\n- wrong\n=== WARNINGS ===\n1. no";
        assert_eq!(
            findings(printed),
            ["GET /b\nNo answer\nNeed help?", "GET /a\n1. Test Case ID: x\n- wrong"]
        );
        assert!(findings("=== SUMMARY ===\n1. no").is_empty());
    }
}
