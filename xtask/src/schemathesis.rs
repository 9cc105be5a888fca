//! `cargo xtask schemathesis`: tests the API with requests generated from the API document, as every kind
//! of caller. Every response must match its schema, the shop must accept what the document allows and reject
//! what it forbids, and no response may be a 500.
//!
//! Schemathesis is a Python program. It is installed into the target folder with pinned hashes
//! (`tests/api/`).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::python;
use crate::shop::{Server, admin_token, token};
use crate::workspace::{self, Profile};

/// Folder of the configuration of schemathesis.
const FOLDER: &str = "tests/api";
/// Webhook secret of the shop, with which the tests sign webhooks.
const WEBHOOK_SECRET: &str = "a-secret-of-this-test-run";
/// Cases per operation and kind when the caller is an admin, who has access to most operations.
pub(crate) const EXAMPLES: u32 = 60;
/// Divisor of the number of cases for all other callers.
const OTHERS_SHARE: u32 = 4;

/// Stock counts at the start: enough events to reach the position in the examples of the document.
const COUNTS: u32 = 50;
/// SKU in the examples of the document.
const SKU: &str = "85123A";
/// Password of the test customer. It differs from the example in the document, because an example request
/// would otherwise erase the account.
const PASSWORD: &str = "zebra horse battery";
/// Titles of the sections with findings in the output.
const FINDINGS: [&str; 2] = [" FAILURES ", " ERRORS "];

/// Options of `cargo xtask schemathesis`.
#[derive(Args)]
pub(crate) struct SchemathesisOptions {
    /// Cases per operation and kind as an admin; other callers make a quarter of them.
    #[arg(long, default_value_t = EXAMPLES)]
    examples: u32,
}

/// Tests a new shop. Returns false if there is a finding.
pub(crate) fn run(options: &SchemathesisOptions) -> Result<bool> {
    let souk = workspace::build_souk(Profile::Dev)?;
    test_api(&souk, options.examples)
}

/// Kind of caller.
struct Caller {
    who: &'static str,
    /// Header that identifies the caller; none for an anonymous caller.
    header: Option<String>,
    examples: u32,
}

/// Tests a new shop with a built program. Returns false if there is a finding.
pub(crate) fn test_api(souk: &Path, examples: u32) -> Result<bool> {
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
            ("a customer", bearer(&sign_up(&server.url).await?), few),
            ("an admin", bearer(&admin), examples),
            ("a service", bearer(&token(souk, &data, "service")?), few),
            ("a guest", Some(format!("X-Cart-Token: {}", cart_token(&server.url).await?)), few),
            ("nobody", None, few),
        ] {
            println!("as {who}");
            let findings = test_as(&program, &server.url, &Caller { who, header, examples })?;
            found.extend(findings.iter().map(|finding| format!("WRONG  as {who}: {finding}")));
        }
        server.stop()?;
        for finding in &found {
            println!("{finding}");
        }
        Ok(found.is_empty())
    })
}

/// Creates the product and stock that the examples in the document use, so that these requests can succeed.
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

/// Signs up a customer and returns the access token.
async fn sign_up(url: &str) -> Result<String> {
    let body = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    let response = reqwest::Client::new().post(format!("{url}/api/auth/signup")).json(&body).send().await?;
    let response: Value = response.error_for_status()?.json().await?;
    let token = response["accessToken"].as_str().with_context(|| format!("no token: {response}"))?;
    Ok(token.to_owned())
}

/// Creates a guest cart with one line and returns its token.
async fn cart_token(url: &str) -> Result<String> {
    let request = reqwest::Client::new().post(format!("{url}/api/cart/items")).header("X-API-Version", "v1");
    let response = request.json(&json!({ "sku": SKU, "quantity": 1 })).send().await?.error_for_status()?;
    let token = response.headers().get("X-Cart-Token").context("the response has no X-Cart-Token")?;
    Ok(token.to_str()?.to_owned())
}

/// Runs schemathesis as one caller and returns its findings.
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
    // Exit status 1 means that there are findings. Any other status except 0 is a failure of the program.
    ensure!(matches!(output.status.code(), Some(0 | 1)), "schemathesis ended with {}", output.status);
    let found = findings(&printed);
    ensure!(
        output.status.success() || !found.is_empty(),
        "schemathesis reports a failure but prints no finding"
    );
    Ok(found)
}

/// Extracts the findings from the output: one text per operation, without empty lines.
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
    fn findings_are_extracted_from_the_output() {
        let printed = "as\n\n=== ERRORS ===\n___ GET /b ___\nNo response\n\nNeed help?\n=== FAILURES ===\n___ GET /a ___\n\
            1. Test Case ID: x\n\n- wrong\n=== WARNINGS ===\n1. no";
        assert_eq!(
            findings(printed),
            ["GET /b\nNo response\nNeed help?", "GET /a\n1. Test Case ID: x\n- wrong"]
        );
        assert!(findings("=== SUMMARY ===\n1. no").is_empty());
    }
}
