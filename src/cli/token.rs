//! `souk token`: an access token for a machine, signed with the key of the data folder.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use souk_configuration::Configuration;
use souk_domain::CustomerId;
use souk_eventsourcing::Clock as _;
use souk_http::Role;
use souk_http::identity::{self, Grant};

use crate::clock::SystemClock;
use crate::data_folder::keys_of;

use super::output;

/// Longest lifetime of a token: one year.
const TTL_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Role of the token's subject.
    #[arg(long, value_enum, default_value = "customer")]
    role: RoleName,
    /// Subject of the token: 1 to 64 characters.
    #[arg(long, value_parser = subject)]
    subject: CustomerId,
    /// Lifetime of the token, for example 90s, 15m, 1h or 7d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Customer,
    Admin,
    Service,
}

/// Prints a new token.
pub fn run(configuration: &Configuration, args: &TokenArgs, json: bool) -> anyhow::Result<ExitCode> {
    let role = match args.role {
        RoleName::Customer => Role::Customer,
        RoleName::Admin => Role::Admin,
        RoleName::Service => Role::Service,
    };
    ensure!(
        configuration.data.is_dir(),
        "there is no shop in {}: start it first (`souk serve`), or name its folder with --data",
        configuration.data.display()
    );
    let keys = keys_of(&configuration.data)?;
    let grant = Grant { subject: &args.subject, role, ttl: args.ttl, session: None };
    let token = identity::issue(&keys, grant, SystemClock.now(), SystemClock.new_id());
    if json {
        output::json(&serde_json::json!({ "token": token }))?;
    } else {
        output::line(token);
    }
    Ok(ExitCode::SUCCESS)
}

fn subject(text: &str) -> Result<CustomerId, String> {
    CustomerId::parse(text).map_err(|why| why.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let refused = || "must be a number followed by s, m, h or d, for example 1h; at most 365d".to_owned();
    let (start, _) = text.char_indices().next_back().ok_or_else(refused)?;
    let (number, unit) = text.split_at(start);
    let number: u64 = number.parse().map_err(|_| refused())?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(refused()),
    };
    let duration = Duration::from_secs(number.saturating_mul(unit));
    if (Duration::from_secs(1)..=TTL_MAX).contains(&duration) { Ok(duration) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_limit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for text in ["", "h", "1", "1€", "1w", "-1h", "0s", "366d", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
