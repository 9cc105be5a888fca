//! `souk config`: the configuration in use.

use std::process::ExitCode;

use souk_configuration::Configuration;

use super::output;

/// Prints the name, value and meaning of every setting.
pub fn run(configuration: &Configuration, json: bool) -> anyhow::Result<ExitCode> {
    for (name, value, meaning) in configuration.describe() {
        if json {
            output::json(&serde_json::json!({ "name": name, "value": value, "meaning": meaning }))?;
        } else {
            output::line(format!("{name}={value}  # {meaning}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
