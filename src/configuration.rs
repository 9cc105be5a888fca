//! Configuration: defaults, then a TOML file, then `SOUK_*` variables, then flags.
//!
//! A value that can't be used is refused with its name, where it came from and what is allowed.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use config::{Config, ConfigError, Environment, File, FileFormat};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use souk_accounts::password::Cost;
use souk_domain::{Currency, money};

/// Where the shop listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8080";
/// The longest wait for a payment, in seconds: thirty days.
const PAYMENT_TIMEOUT_S_MAX: u64 = 30 * 24 * 3600;
/// The shortest webhook secret, in bytes.
const WEBHOOK_SECRET_BYTES_MIN: usize = 8;

/// Cores that a rebuild beside a running shop may use unless told otherwise.
const REBUILD_CPU_SHARE: &str = "0.4";

/// Memory that hashing a password takes, in KiB: usually, and what is allowed.
const ARGON2_MEMORY_KIB: (u32, RangeInclusive<u32>, &str) =
    (19 * 1024, 8..=1024 * 1024, "KiB from 8 to 1048576");
/// Passes over it.
const ARGON2_PASSES: (u32, RangeInclusive<u32>, &str) = (2, 1..=100, "passes from 1 to 100");

/// What the names of variables begin with.
const PREFIX: &str = "SOUK_";

/// What is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// The data folder.
    pub data: PathBuf,
    /// Where the shop listens.
    pub listen: SocketAddr,
    /// Where metrics and the release gate listen, when not with the shop.
    pub internal_listen: Option<SocketAddr>,
    /// The shop's currency.
    pub currency: Currency,
    /// How long an order waits for payment.
    pub payment_timeout: Duration,
    /// The secret of the provider's webhooks; without one every webhook is refused.
    pub webhook_secret: Option<Secret>,
    /// Cores that a rebuild beside a running shop may use, as in 0.4.
    pub rebuild_cpu_share: f64,
    /// Whether those who ask too often, or guess, are slowed down.
    pub limits: bool,
    /// Proxies whose word about their clients is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Sites whose scripts may ask.
    pub cors_origins: Vec<HeaderValue>,
    /// What hashing a password takes.
    pub password_cost: Cost,
    /// The master key that keys of people are kept under, as 64 hexadecimal digits.
    pub master_key: Option<Secret>,
    /// The file that holds it, when it isn't the data folder's own.
    pub master_key_file: Option<PathBuf>,
    /// Which log lines are written, as in `info,souk=debug`.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
}

/// A value that nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for what it is there for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// A value that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file or a variable can't be read.
    #[error("the configuration can't be read")]
    Unreadable(#[from] ConfigError),
    /// A variable that nobody reads, most likely mistyped.
    #[error("the variable {name} is not known: {} are", .known.join(", "))]
    Unknown {
        /// Its name.
        name: String,
        /// Those that are read.
        known: Vec<String>,
    },
    /// A value is not allowed.
    #[error("{name} = `{value}` is not allowed: {allowed}")]
    NotAllowed {
        /// Its name, as a variable.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What would be.
        allowed: &'static str,
    },
}

/// The values as they are written.
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
    log: Option<String>,
    log_json: Option<String>,
    limits: Option<String>,
    trusted_proxies: Option<String>,
    cors_origins: Option<String>,
    argon2_memory_kib: Option<String>,
    argon2_passes: Option<String>,
    /// Read by the command line itself; named here so that it is no unknown variable.
    token: Option<String>,
    /// Read by `souk admin`; likewise.
    admin_password: Option<String>,
    /// Read by test builds; likewise.
    fail_point: Option<String>,
    /// Where this file is; likewise.
    config: Option<String>,
    /// Read by the trials and tests; likewise.
    real_data: Option<String>,
    /// Read by a test; likewise.
    update_openapi: Option<String>,
}

/// What flags override.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--internal-listen`.
    pub internal_listen: Option<SocketAddr>,
    /// `--config`.
    pub file: Option<PathBuf>,
}

impl Configuration {
    /// Reads the file (`--config`, `SOUK_CONFIG`, else `souk.toml` here if there is one), the
    /// environment and the flags.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigurationError> {
        let named = overrides.file.clone().or_else(|| std::env::var_os("SOUK_CONFIG").map(PathBuf::from));
        let file = match &named {
            Some(path) => File::from(path.as_path()).format(FileFormat::Toml).required(true),
            None => File::new("souk.toml", FileFormat::Toml).required(false),
        };
        let known = variables();
        let mut names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        if let Some(name) = names.find(|name| name.starts_with(PREFIX) && !known.contains(name)) {
            return Err(ConfigurationError::Unknown { name, known });
        }
        let environment = Environment::with_prefix("SOUK").prefix_separator("_").ignore_empty(true);
        let sources = Config::builder().add_source(file).add_source(environment).build()?;
        Self::checked(sources.try_deserialize()?, overrides)
    }

    fn checked(raw: Raw, overrides: &Overrides) -> Result<Self, ConfigurationError> {
        let listen = raw.listen.unwrap_or_else(|| LISTEN.to_owned());
        let currency = raw.currency.unwrap_or_else(|| "GBP".to_owned());
        let timeout = raw.payment_timeout_s.unwrap_or_else(|| "900".to_owned());
        let share = raw.rebuild_cpu_share.unwrap_or_else(|| REBUILD_CPU_SHARE.to_owned());
        let log_json = raw.log_json.unwrap_or_else(|| "false".to_owned());
        let data = overrides.data.clone().or(raw.data.map(PathBuf::from));
        if let Some(secret) =
            raw.webhook_secret.as_ref().filter(|secret| secret.len() < WEBHOOK_SECRET_BYTES_MIN)
        {
            let value = "*".repeat(secret.len());
            return Err(not_allowed("SOUK_WEBHOOK_SECRET", value, "at least 8 bytes"));
        }
        Ok(Self {
            data: data.unwrap_or_else(|| PathBuf::from("souk-data")),
            listen: match overrides.listen {
                Some(listen) => listen,
                None => listen.parse().map_err(|_| {
                    not_allowed("SOUK_LISTEN", listen, "an IP address and a port, as in 127.0.0.1:8080")
                })?,
            },
            internal_listen: match (overrides.internal_listen, raw.internal_listen) {
                (Some(listen), _) => Some(listen),
                (None, Some(text)) => Some(text.parse().map_err(|_| {
                    not_allowed(
                        "SOUK_INTERNAL_LISTEN",
                        text,
                        "an IP address and a port, as in 127.0.0.1:9090",
                    )
                })?),
                (None, None) => None,
            },
            currency: money::currency(&currency)
                .ok_or_else(|| not_allowed("SOUK_CURRENCY", currency, "an ISO 4217 code, as in GBP"))?,
            payment_timeout: seconds(&timeout).ok_or_else(|| {
                not_allowed("SOUK_PAYMENT_TIMEOUT_S", timeout, "whole seconds from 1 to 2592000")
            })?,
            webhook_secret: raw.webhook_secret.map(Secret::new),
            rebuild_cpu_share: cores(&share).ok_or_else(|| {
                not_allowed("SOUK_REBUILD_CPU_SHARE", share, "cores from 0.01 to 64, as in 0.4")
            })?,
            limits: match raw.limits.as_deref() {
                None | Some("on") => true,
                Some("off") => false,
                Some(other) => return Err(not_allowed("SOUK_LIMITS", other.to_owned(), "on or off")),
            },
            trusted_proxies: list(raw.trusted_proxies.as_ref(), |text| text.parse().ok()).map_err(
                |value| not_allowed("SOUK_TRUSTED_PROXIES", value, "networks with commas, as in 10.0.0.0/8"),
            )?,
            cors_origins: list(raw.cors_origins.as_ref(), origin).map_err(|value| {
                not_allowed("SOUK_CORS_ORIGINS", value, "origins with commas, as in https://shop.example")
            })?,
            password_cost: Cost {
                memory_kib: number("SOUK_ARGON2_MEMORY_KIB", raw.argon2_memory_kib, ARGON2_MEMORY_KIB)?,
                passes: number("SOUK_ARGON2_PASSES", raw.argon2_passes, ARGON2_PASSES)?,
            },
            master_key: raw.master_key.map(Secret::new),
            master_key_file: raw.master_key_file.map(PathBuf::from),
            log: raw.log.unwrap_or_else(|| "warn,souk=info".to_owned()),
            log_json: log_json
                .parse()
                .map_err(|_| not_allowed("SOUK_LOG_JSON", log_json, "true or false"))?,
        })
    }

    /// Name, value and meaning of everything, secrets hidden.
    pub fn describe(&self) -> Vec<(&'static str, String, &'static str)> {
        let secret = if self.webhook_secret.is_some() { "(set)" } else { "(not set: webhooks are refused)" };
        let master_key = if self.master_key.is_some() { "(set)" } else { "(not set)" }.to_owned();
        vec![
            ("SOUK_DATA", self.data.display().to_string(), "the data folder"),
            ("SOUK_LISTEN", self.listen.to_string(), "address and port of the HTTP API"),
            (
                "SOUK_INTERNAL_LISTEN",
                self.internal_listen
                    .map_or("(not set: /metrics is with the API)".to_owned(), |at| at.to_string()),
                "address and port of metrics and the release gate",
            ),
            ("SOUK_CURRENCY", self.currency.code().to_owned(), "the shop's currency"),
            (
                "SOUK_PAYMENT_TIMEOUT_S",
                self.payment_timeout.as_secs().to_string(),
                "seconds an order waits for payment",
            ),
            ("SOUK_WEBHOOK_SECRET", secret.to_owned(), "signs the payment provider's webhooks"),
            (
                "SOUK_REBUILD_CPU_SHARE",
                self.rebuild_cpu_share.to_string(),
                "cores that a rebuild beside a running shop may use",
            ),
            (
                "SOUK_LIMITS",
                if self.limits { "on" } else { "off" }.to_owned(),
                "whether those who guess are slowed down",
            ),
            (
                "SOUK_TRUSTED_PROXIES",
                joined(&self.trusted_proxies),
                "proxies whose word about their clients is taken",
            ),
            (
                "SOUK_CORS_ORIGINS",
                self.cors_origins
                    .iter()
                    .filter_map(|origin| origin.to_str().ok())
                    .collect::<Vec<_>>()
                    .join(","),
                "sites whose scripts may ask",
            ),
            (
                "SOUK_ARGON2_MEMORY_KIB",
                self.password_cost.memory_kib.to_string(),
                "memory that hashing a password takes",
            ),
            ("SOUK_ARGON2_PASSES", self.password_cost.passes.to_string(), "passes over that memory"),
            ("SOUK_MASTER_KEY", master_key, "what keys of people are kept under, instead of a file"),
            (
                "SOUK_MASTER_KEY_FILE",
                self.master_key_file
                    .as_ref()
                    .map_or("(keys/master in the data folder)".to_owned(), |path| path.display().to_string()),
                "the file that holds it",
            ),
            ("SOUK_LOG", self.log.clone(), "which log lines are written"),
            ("SOUK_LOG_JSON", self.log_json.to_string(), "whether log lines are JSON"),
        ]
    }
}

/// The names of all variables that are read, here or by what the others are said to be for.
fn variables() -> Vec<String> {
    let raw = serde_json::to_value(Raw::default()).expect("texts make JSON");
    let fields = raw.as_object().into_iter().flatten();
    fields.map(|(field, _)| format!("{PREFIX}{}", field.to_uppercase())).collect()
}

fn not_allowed(name: &'static str, value: String, allowed: &'static str) -> ConfigurationError {
    ConfigurationError::NotAllowed { name, value, allowed }
}

/// What stands between commas; the first that can't be read otherwise.
fn list<T>(value: Option<&String>, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let texts = value.into_iter().flat_map(|value| value.split(',')).map(str::trim);
    let texts = texts.filter(|text| !text.is_empty());
    texts.map(|text| read(text).ok_or_else(|| text.to_owned())).collect()
}

/// An origin as browsers send it: a scheme and a host, nothing behind.
fn origin(text: &str) -> Option<HeaderValue> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_host = !host.is_empty() && !host.contains(['/', '*', '@', '?', '#', ' ']);
    is_host.then(|| HeaderValue::try_from(text).ok()).flatten()
}

fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A whole number within limits, or the first of the three.
fn number(
    name: &'static str,
    value: Option<String>,
    (usual, range, allowed): (u32, RangeInclusive<u32>, &'static str),
) -> Result<u32, ConfigurationError> {
    let Some(text) = value else { return Ok(usual) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| not_allowed(name, text, allowed))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().filter(|seconds| (1..=PAYMENT_TIMEOUT_S_MAX).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

fn cores(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.01..=64.0).contains(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut Raw)) -> Result<Configuration, String> {
        let mut raw = Raw::default();
        change(&mut raw);
        Configuration::checked(raw, &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_allowed_and_flags_win() {
        assert_eq!(checked(|_| ()).unwrap().listen.port(), 8080);
        let overrides = Overrides { listen: Some("127.0.0.1:9".parse().unwrap()), ..Overrides::default() };
        let raw = Raw { listen: Some("127.0.0.1:1".into()), ..Raw::default() };
        assert_eq!(Configuration::checked(raw, &overrides).unwrap().listen.port(), 9);
    }

    #[test]
    fn values_that_are_not_allowed_are_named_with_what_is() {
        for (name, error) in [
            ("SOUK_LISTEN", checked(|raw| raw.listen = Some("here".into()))),
            ("SOUK_INTERNAL_LISTEN", checked(|raw| raw.internal_listen = Some("9090".into()))),
            ("SOUK_CURRENCY", checked(|raw| raw.currency = Some("pounds".into()))),
            ("SOUK_PAYMENT_TIMEOUT_S", checked(|raw| raw.payment_timeout_s = Some("0".into()))),
            ("SOUK_PAYMENT_TIMEOUT_S", checked(|raw| raw.payment_timeout_s = Some("soon".into()))),
            ("SOUK_WEBHOOK_SECRET", checked(|raw| raw.webhook_secret = Some("short".into()))),
            ("SOUK_REBUILD_CPU_SHARE", checked(|raw| raw.rebuild_cpu_share = Some("0".into()))),
            ("SOUK_REBUILD_CPU_SHARE", checked(|raw| raw.rebuild_cpu_share = Some("half".into()))),
            ("SOUK_ARGON2_MEMORY_KIB", checked(|raw| raw.argon2_memory_kib = Some("7".into()))),
            ("SOUK_ARGON2_PASSES", checked(|raw| raw.argon2_passes = Some("many".into()))),
            ("SOUK_TRUSTED_PROXIES", checked(|raw| raw.trusted_proxies = Some("10.0.0.0/8, here".into()))),
            ("SOUK_CORS_ORIGINS", checked(|raw| raw.cors_origins = Some("*".into()))),
            ("SOUK_CORS_ORIGINS", checked(|raw| raw.cors_origins = Some("https://shop.example/".into()))),
            ("SOUK_LIMITS", checked(|raw| raw.limits = Some("banana".into()))),
            ("SOUK_LOG_JSON", checked(|raw| raw.log_json = Some("maybe".into()))),
        ] {
            let error = error.unwrap_err();
            assert!(error.starts_with(name) && error.contains("is not allowed"), "{error}");
        }
    }

    #[test]
    fn everything_that_is_described_can_be_set_by_a_variable() {
        let known = variables();
        let described = checked(|_| ()).unwrap().describe();
        assert!(described.iter().all(|(name, ..)| known.iter().any(|known| known == name)), "{known:?}");
    }

    #[test]
    fn secrets_are_never_described() {
        let configuration = checked(|raw| raw.webhook_secret = Some("correct horse".into())).unwrap();
        assert!(!format!("{:?}", configuration.describe()).contains("horse"));
        let error = checked(|raw| raw.webhook_secret = Some("short".into())).unwrap_err();
        assert!(!error.contains("short"));
    }
}
