//! `souk admin`: accounts of administrators.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use souk_command_api::auth::passwords::{NewAccount, sign_up};
use souk_configuration::Configuration;
use souk_domain::Email;
use souk_domain::text::rules::SHORT_NEEDED;
use souk_domain::user::event::UserRole;
use souk_eventsourcing::CorrelationId;
use souk_sign_in::Password;

use crate::data_folder::holder;
use crate::embedded::Embedded;

use super::output;
use super::server::{Server, json_body};

/// Maximum number of bytes read for a password.
const PASSWORD_BYTES_MAX: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Creates an administrator account with all permissions. The password is read from
    /// `SOUK_ADMIN_PASSWORD`, or from standard input.
    Create(CreateArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// E-mail address of the administrator. It counts as verified.
    #[arg(long, value_parser = email)]
    email: Email,
    /// Name of the administrator.
    #[arg(long, default_value = "Admin")]
    name: String,
}

fn email(text: &str) -> Result<Email, String> {
    Email::parse(text).map_err(|why| why.to_string())
}

/// Runs one of the `souk admin` commands.
pub async fn run(
    configuration: &Configuration,
    command: AdminCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let AdminCommand::Create(args) = command;
    let text = password()?;
    let id = if holder(&configuration.data).is_some() {
        let server =
            Server::find(&configuration.data, None)?.context("the server has just stopped: try again")?;
        let body = serde_json::json!({ "email": args.email.as_str(), "password": text, "name": args.name });
        let response = server.post("/api/admin/users")?.json(&body).send().await?;
        let created: serde_json::Value = json_body(response).await?;
        created["id"].as_str().unwrap_or_default().to_owned()
    } else {
        let password = Password::typed(text);
        password.check().map_err(|why| anyhow::anyhow!("weak-password: {why}"))?;
        let name = SHORT_NEEDED.trim_and_check(&args.name).context("--name")?;
        let shop = Embedded::start(configuration).await?;
        let role = UserRole::Admin;
        let password = Some(password);
        let new = NewAccount { email: args.email, password, name, role, is_verified: true };
        let correlation = CorrelationId::from(shop.ports.clock.new_id());
        let result = sign_up(&shop.ports, new, &correlation).await;
        shop.stop().await;
        let (user, _) =
            result.map_err(|problem| anyhow::anyhow!("{}: {}", problem.code(), problem.detail()))?;
        user.to_string()
    };
    if json {
        output::json(&serde_json::json!({ "id": id }))?;
    } else {
        output::line(format!("administrator {id} was created; sign in with POST /api/auth/login"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the password from `SOUK_ADMIN_PASSWORD`, or else from the first line of standard input. It is never
/// an argument, because every user of the machine can see the arguments of a process.
fn password() -> anyhow::Result<String> {
    if let Ok(password) = std::env::var("SOUK_ADMIN_PASSWORD") {
        return Ok(password);
    }
    if std::io::stdin().is_terminal() {
        eprint!("Password (12 characters or more): ");
    }
    let mut text = String::new();
    std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_line(&mut text)?;
    let line = text.trim_end_matches(['\r', '\n']).to_owned();
    ensure!(!line.is_empty(), "a password is needed on standard input, or in SOUK_ADMIN_PASSWORD");
    Ok(line)
}
