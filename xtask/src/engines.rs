//! `cargo xtask engines`: starts the servers that tests need, for manual use.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use souk_servers::{Client, OpenIdProvider, Redis, free_port};

pub(crate) use souk_servers::install;

/// Options of `cargo xtask engines`.
#[derive(Args)]
pub(crate) struct EnginesOptions {
    /// Installs missing servers and starts none.
    #[arg(long)]
    install: bool,
    /// Prints the addresses as a JSON line.
    #[arg(long)]
    json: bool,
    /// URL of the shop to which the identity provider redirects after a sign-in.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    shop: String,
}

/// Starts one server of each kind and keeps them running until Ctrl-C.
pub(crate) fn run(options: &EnginesOptions) -> Result<bool> {
    install()?;
    if options.install {
        return Ok(true);
    }
    let redis = Redis::start()?;
    let client = Client {
        id: "souk".to_owned(),
        secret: "a secret for tests".to_owned(),
        redirect_uri: format!("{}/api/auth/oidc/local/callback", options.shop.trim_end_matches('/')),
    };
    let provider = OpenIdProvider::start(free_port()?, client.clone())?;
    let variables = [
        ("SOUK_REDIS_URL", redis.url()),
        ("SOUK_OIDC_LOCAL_ISSUER", provider.issuer().to_owned()),
        ("SOUK_OIDC_LOCAL_CLIENT_ID", client.id),
        ("SOUK_OIDC_LOCAL_CLIENT_SECRET", client.secret),
    ];
    if options.json {
        println!("{}", json!(variables.into_iter().collect::<std::collections::BTreeMap<_, _>>()));
    } else {
        for (name, value) in variables {
            println!("export {name}='{value}'");
        }
        println!("# the servers run until Ctrl-C");
    }
    tokio::runtime::Runtime::new()?.block_on(tokio::signal::ctrl_c())?;
    Ok(true)
}
