//! `cargo xtask engines`: the servers that tests run against, for use by hand.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use souk_servers::{Client, OpenIdProvider, Redis, free_port};

pub(crate) use souk_servers::install;

/// What is wanted of them.
#[derive(Args)]
pub(crate) struct EnginesOptions {
    /// Installs what is missing, and starts nothing.
    #[arg(long)]
    install: bool,
    /// Prints the addresses as a JSON line.
    #[arg(long)]
    json: bool,
    /// Where the shop is that the identity provider sends people back to.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    shop: String,
}

/// Starts one of each and keeps them until Ctrl-C.
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
        println!("# until Ctrl-C");
    }
    tokio::runtime::Runtime::new()?.block_on(tokio::signal::ctrl_c())?;
    Ok(true)
}
