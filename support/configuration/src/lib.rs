//! Configuration: defaults, then a TOML file, then `SOUK_*` variables, then flags. Each of these overrides
//! the ones before it.
//!
//! A wrong value is refused. The error names the setting and the allowed values.

mod checked;
mod describe;
mod providers;
mod service_links;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use config::{Config, ConfigError, Environment, File, FileFormat};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use souk_domain::Currency;
use souk_sign_in::password::Cost;

use checked::{not_allowed, without_userinfo};
pub use providers::IdentityProvider;
use providers::RawProvider;

/// Prefix of the names of variables.
const PREFIX: &str = "SOUK_";

/// Configuration of a process, after all checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Path of the data folder.
    pub data: PathBuf,
    /// Address and port of the HTTP API.
    pub listen: SocketAddr,
    /// Address and port of metrics and the release gate. `None` if the API address serves the metrics.
    pub internal_listen: Option<SocketAddr>,
    /// Currency of all prices in the shop.
    pub currency: Currency,
    /// Time that an order waits for its payment.
    pub payment_timeout: Duration,
    /// Secret that signs the webhooks of the payment provider. Without it, every webhook is refused.
    pub webhook_secret: Option<Secret>,
    /// Number of cores that a rebuild may use while the shop runs, for example 0.4.
    pub rebuild_cpu_share: f64,
    /// Role of this process.
    pub role: Role,
    /// Limits for clients that send too many requests or guess secrets.
    pub limits: LimitMode,
    /// Address of the Redis in which gateways share request counts and ended sessions.
    pub redis: Option<Secret>,
    /// Address of the shop for browsers. `None` if it is the listen address.
    pub public_url: Option<String>,
    /// Identity providers through which users may sign in.
    pub identity_providers: Vec<IdentityProvider>,
    /// Proxies that are trusted to name the client address.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of websites whose scripts may send requests.
    pub cors_origins: Vec<HeaderValue>,
    /// Cost of hashing a password.
    pub password_cost: Cost,
    /// Master key that encrypts the person keys, as 64 hexadecimal digits.
    pub master_key: Option<Secret>,
    /// File of the master key. `None` for the file in the data folder.
    pub master_key_file: Option<PathBuf>,
    /// True if the shop starts even if person keys are missing.
    pub without_keys: bool,
    /// Filter for log lines, for example `info,souk=debug`.
    pub log: String,
    /// True if log lines are JSON.
    pub log_json: bool,
}

/// Role of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The process runs the whole shop.
    Shop,
    /// The process checks requests and forwards them to upstreams.
    Gateway {
        /// Address of the upstream for writes.
        commands: String,
        /// Address of the upstream for reads.
        queries: String,
        /// Timeout of an upstream's response. A route may have a shorter timeout.
        timeout: Duration,
    },
}

/// Choice of the limits for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitMode {
    /// Request rates and guesses of secrets are limited.
    On,
    /// Only guesses of secrets are limited. Use this behind a gateway that limits request rates.
    Guesses,
    /// Nothing is limited.
    Off,
}

/// Secret value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret, so that it is not printed by accident.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text of the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// Error in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file or a variable can't be read.
    #[error("the configuration can't be read: {0}")]
    Unreadable(String),
    /// The variable has an unknown name. Most likely it is mistyped.
    #[error("unknown variable {name}{}; known variables are {}",
        .nearest.as_ref().map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default(), .known.join(", "))]
    Unknown {
        /// Name of the variable.
        name: String,
        /// Most similar known name.
        nearest: Option<String>,
        /// List of all known names.
        known: Vec<String>,
    },
    /// The value of a setting is not allowed.
    #[error("{name} = `{value}` is not allowed: {allowed}")]
    NotAllowed {
        /// Name of the setting, as a variable.
        name: String,
        /// Value that is not allowed. Secrets are hidden.
        value: String,
        /// Text about the allowed values.
        allowed: &'static str,
    },
}

impl From<ConfigError> for ConfigurationError {
    /// Removes the lines of the file that the parser quotes, because they may contain a secret.
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|'));
        Self::Unreadable(lines.collect::<Vec<_>>().join(", "))
    }
}

/// Values as they are written in the file and in variables.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    data: Option<String>,
    listen: Option<String>,
    internal_listen: Option<String>,
    currency: Option<String>,
    payment_timeout_s: Option<String>,
    webhook_secret: Option<String>,
    rebuild_cpu_share: Option<String>,
    master_key: Option<String>,
    master_key_file: Option<String>,
    without_keys: Option<String>,
    log: Option<String>,
    log_json: Option<String>,
    limits: Option<String>,
    role: Option<String>,
    upstream_commands: Option<String>,
    upstream_queries: Option<String>,
    upstream_timeout_s: Option<String>,
    redis_url: Option<String>,
    public_url: Option<String>,
    /// Tables `[oidc.NAME]` of the file. Their variables are named `SOUK_OIDC_NAME_…`.
    #[serde(skip_serializing)]
    oidc: BTreeMap<String, RawProvider>,
    trusted_proxies: Option<String>,
    cors_origins: Option<String>,
    argon2_memory_kib: Option<String>,
    argon2_passes: Option<String>,
    /// Read by the command line. Listed here so that it is not refused as unknown.
    token: Option<String>,
    /// Read by `souk admin`. Listed here so that it is not refused as unknown.
    admin_password: Option<String>,
    /// Read by test builds. Listed here so that it is not refused as unknown.
    fail_point: Option<String>,
    /// Path of the configuration file. Listed here so that it is not refused as unknown.
    config: Option<String>,
    /// Read by trials and tests. Listed here so that it is not refused as unknown.
    real_data: Option<String>,
    /// Read by a test. Listed here so that it is not refused as unknown.
    update_openapi: Option<String>,
}

/// Values of command-line flags. They override the file and the variables.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Value of `--data`: path of the data folder.
    pub data: Option<PathBuf>,
    /// Value of `--listen`: address and port of the API.
    pub listen: Option<SocketAddr>,
    /// Value of `--internal-listen`: address and port of metrics.
    pub internal_listen: Option<SocketAddr>,
    /// Value of `--config`: path of the configuration file.
    pub file: Option<PathBuf>,
    /// True if `--without-keys` is set.
    pub without_keys: bool,
    /// Value of `--role`: `all` or `gateway`.
    pub role: Option<String>,
    /// Value of `--upstream-commands`: address of the upstream for writes.
    pub upstream_commands: Option<String>,
    /// Value of `--upstream-queries`: address of the upstream for reads.
    pub upstream_queries: Option<String>,
}

impl Configuration {
    /// Loads the configuration from the file, the variables and the flags. The file is the one of `--config`,
    /// or of `SOUK_CONFIG`, or `souk.toml` in the current folder if it exists.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigurationError> {
        let named = overrides.file.clone().or_else(|| std::env::var_os("SOUK_CONFIG").map(PathBuf::from));
        let file = match &named {
            Some(path) => File::from(path.as_path()).format(FileFormat::Toml).required(true),
            None => File::new("souk.toml", FileFormat::Toml).required(false),
        };
        let variables = variables::of(std::env::vars_os())?;
        let (of_providers, variables) = providers::split(variables);
        let environment = Environment::with_prefix("SOUK").prefix_separator("_").ignore_empty(true);
        let environment = environment.source(Some(variables.into_iter().collect()));
        let sources = Config::builder().add_source(file).add_source(environment).build()?;
        let mut raw: Raw = sources.try_deserialize()?;
        providers::apply(&mut raw.oidc, of_providers);
        Self::checked(raw, overrides)
    }

    /// Returns the address of the shop for browsers: a scheme and a host.
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }
}

#[cfg(test)]
mod tests;
