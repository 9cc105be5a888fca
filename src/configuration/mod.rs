//! Configuration: defaults, then a TOML file, then `SOUK_*` variables, then flags.
//!
//! A value that can't be used is refused with its name, where it came from and what is allowed.

mod describe;
mod providers;
mod service_links;
mod variables;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderValue, Uri};
use config::{Config, ConfigError, Environment, File, FileFormat};
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use souk_domain::{Currency, money};
use souk_sign_in::password::Cost;

pub use providers::IdentityProvider;
use providers::RawProvider;

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

/// How long an answer of an upstream may take, where its route allows more.
const UPSTREAM_TIMEOUT_S: (u32, RangeInclusive<u32>, &str) = (900, 1..=900, "whole seconds from 1 to 900");

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
    /// What this process does.
    pub role: Role,
    /// Whether those who ask too often, or guess, are slowed down.
    pub limits: Limiting,
    /// The Redis in which gateways count together and share ended sessions.
    pub redis: Option<Secret>,
    /// Where browsers find the shop, when it isn't where it listens.
    pub public_url: Option<String>,
    /// Who else says who somebody is.
    pub identity_providers: Vec<IdentityProvider>,
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
    /// True when the shop opens although keys of people are missing.
    pub without_keys: bool,
    /// Which log lines are written, as in `info,souk=debug`.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
}

/// What a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Shop,
    /// Lets requests in, and hands them on.
    Gateway {
        /// Who answers writes.
        commands: String,
        /// Who answers reads.
        queries: String,
        /// How long an answer may take, where its route allows more.
        timeout: Duration,
    },
}

/// Who is slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiting {
    /// Whoever asks too often, or guesses.
    On,
    /// Whoever guesses: how often somebody asks is counted by a gateway.
    Guesses,
    /// Nobody.
    Off,
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
    #[error("the configuration can't be read: {0}")]
    Unreadable(String),
    /// A variable that nobody reads, most likely mistyped.
    #[error("the variable {name} is not known{}: {} are",
        .nearest.as_ref().map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default(), .known.join(", "))]
    Unknown {
        /// Its name.
        name: String,
        /// The name that is read and is most like it.
        nearest: Option<String>,
        /// Those that are read.
        known: Vec<String>,
    },
    /// A value is not allowed.
    #[error("{name} = `{value}` is not allowed: {allowed}")]
    NotAllowed {
        /// Its name, as a variable.
        name: String,
        /// What it was set to.
        value: String,
        /// What would be.
        allowed: &'static str,
    },
}

impl From<ConfigError> for ConfigurationError {
    /// Leaves out the lines of the file that a parser quotes: a secret may stand in them.
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|'));
        Self::Unreadable(lines.collect::<Vec<_>>().join(", "))
    }
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
    /// Tables in the file; as variables they have names of their own.
    #[serde(skip_serializing)]
    oidc: BTreeMap<String, RawProvider>,
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
    /// `--without-keys`.
    pub without_keys: bool,
    /// `--role`.
    pub role: Option<String>,
    /// `--upstream-commands`.
    pub upstream_commands: Option<String>,
    /// `--upstream-queries`.
    pub upstream_queries: Option<String>,
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
        let variables = variables::of(std::env::vars_os())?;
        let (of_providers, variables) = providers::apart(variables);
        let environment = Environment::with_prefix("SOUK").prefix_separator("_").ignore_empty(true);
        let environment = environment.source(Some(variables.into_iter().collect()));
        let sources = Config::builder().add_source(file).add_source(environment).build()?;
        let mut raw: Raw = sources.try_deserialize()?;
        providers::put(&mut raw.oidc, of_providers);
        Self::checked(raw, overrides)
    }

    /// Where browsers find the shop: a scheme and a host.
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    fn checked(raw: Raw, overrides: &Overrides) -> Result<Self, ConfigurationError> {
        let listen = raw.listen.unwrap_or_else(|| LISTEN.to_owned());
        let currency = raw.currency.unwrap_or_else(|| "GBP".to_owned());
        let timeout = raw.payment_timeout_s.unwrap_or_else(|| "900".to_owned());
        let share = raw.rebuild_cpu_share.unwrap_or_else(|| REBUILD_CPU_SHARE.to_owned());
        let data = overrides.data.clone().or(raw.data.map(PathBuf::from));
        if let Some(secret) =
            raw.webhook_secret.as_ref().filter(|secret| secret.len() < WEBHOOK_SECRET_BYTES_MIN)
        {
            let value = "*".repeat(secret.len());
            return Err(not_allowed("SOUK_WEBHOOK_SECRET", &value, "at least 8 bytes"));
        }
        Ok(Self {
            data: data.unwrap_or_else(|| PathBuf::from("souk-data")),
            listen: match overrides.listen {
                Some(listen) => listen,
                None => listen.parse().map_err(|_| {
                    not_allowed("SOUK_LISTEN", &listen, "an IP address and a port, as in 127.0.0.1:8080")
                })?,
            },
            internal_listen: match (overrides.internal_listen, raw.internal_listen) {
                (Some(listen), _) => Some(listen),
                (None, Some(text)) => Some(text.parse().map_err(|_| {
                    not_allowed(
                        "SOUK_INTERNAL_LISTEN",
                        &text,
                        "an IP address and a port, as in 127.0.0.1:9090",
                    )
                })?),
                (None, None) => None,
            },
            currency: money::currency(&currency)
                .ok_or_else(|| not_allowed("SOUK_CURRENCY", &currency, "an ISO 4217 code, as in GBP"))?,
            payment_timeout: seconds(&timeout).ok_or_else(|| {
                not_allowed("SOUK_PAYMENT_TIMEOUT_S", &timeout, "whole seconds from 1 to 2592000")
            })?,
            webhook_secret: raw.webhook_secret.map(Secret::new),
            rebuild_cpu_share: cores(&share).ok_or_else(|| {
                not_allowed("SOUK_REBUILD_CPU_SHARE", &share, "cores from 0.01 to 64, as in 0.4")
            })?,
            role: role(
                overrides.role.clone().or(raw.role),
                overrides.upstream_commands.clone().or(raw.upstream_commands),
                overrides.upstream_queries.clone().or(raw.upstream_queries),
                raw.upstream_timeout_s,
            )?,
            limits: match raw.limits.as_deref() {
                None | Some("on") => Limiting::On,
                Some("guesses") => Limiting::Guesses,
                Some("off") => Limiting::Off,
                Some(other) => {
                    return Err(not_allowed("SOUK_LIMITS", other, "on, guesses or off"));
                }
            },
            redis: raw.redis_url.map(redis).transpose()?,
            public_url: raw.public_url.map(public_url).transpose()?,
            identity_providers: providers::checked(raw.oidc)?,
            trusted_proxies: list(raw.trusted_proxies.as_ref(), trusted_network).map_err(|value| {
                let allowed = "networks and addresses with commas, as in 10.0.0.0/8 or 10.0.0.5";
                not_allowed("SOUK_TRUSTED_PROXIES", &value, allowed)
            })?,
            cors_origins: list(raw.cors_origins.as_ref(), origin).map_err(|value| {
                not_allowed("SOUK_CORS_ORIGINS", &value, "origins with commas, as in https://shop.example")
            })?,
            password_cost: Cost {
                memory_kib: number("SOUK_ARGON2_MEMORY_KIB", raw.argon2_memory_kib, ARGON2_MEMORY_KIB)?,
                passes: number("SOUK_ARGON2_PASSES", raw.argon2_passes, ARGON2_PASSES)?,
            },
            master_key: raw.master_key.map(Secret::new),
            master_key_file: raw.master_key_file.map(PathBuf::from),
            without_keys: overrides.without_keys || flag("SOUK_WITHOUT_KEYS", raw.without_keys)?,
            log: raw.log.unwrap_or_else(|| "warn,souk=info".to_owned()),
            log_json: flag("SOUK_LOG_JSON", raw.log_json)?,
        })
    }
}

fn not_allowed(name: &str, value: &str, allowed: &'static str) -> ConfigurationError {
    ConfigurationError::NotAllowed { name: name.to_owned(), value: without_userinfo(value), allowed }
}

/// Returns the text, or a note in its place when it holds an `@`: a password may stand before that, in any spelling.
fn without_userinfo(text: &str) -> String {
    if text.contains('@') {
        "(hidden, since a password may stand before an @)".to_owned()
    } else {
        text.to_owned()
    }
}

fn role(
    name: Option<String>,
    commands: Option<String>,
    queries: Option<String>,
    timeout_s: Option<String>,
) -> Result<Role, ConfigurationError> {
    const ADDRESS: &str = "a gateway's upstream, as in http://10.0.0.5:8080";
    let timeout = number("SOUK_UPSTREAM_TIMEOUT_S", timeout_s, UPSTREAM_TIMEOUT_S)?;
    let address = |name: &'static str, value: Option<String>| {
        let value = value.unwrap_or_default();
        if origin(&value).is_some() { Ok(value) } else { Err(not_allowed(name, &value, ADDRESS)) }
    };
    match name {
        None => Ok(Role::Shop),
        Some(name) if name == "all" => Ok(Role::Shop),
        Some(name) if name == "gateway" => Ok(Role::Gateway {
            commands: address("SOUK_UPSTREAM_COMMANDS", commands)?,
            queries: address("SOUK_UPSTREAM_QUERIES", queries)?,
            timeout: Duration::from_secs(timeout.into()),
        }),
        Some(other) => Err(not_allowed("SOUK_ROLE", &other, "all or gateway")),
    }
}

/// Reads a network of proxies, or a single address. Addresses of clients are compared in their IPv4 form where they have one, so an
/// IPv4-mapped network of IPv6 is turned into its IPv4 network.
fn trusted_network(text: &str) -> Option<IpNet> {
    /// Bits of an IPv4-mapped address before the IPv4 address.
    const MAPPED_BITS: u8 = 96;
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let IpNet::V6(mapped) = network else { return Some(network) };
    let address = mapped.addr().to_ipv4_mapped();
    let prefix = mapped.prefix_len().checked_sub(MAPPED_BITS);
    match address.zip(prefix) {
        Some((address, prefix)) => Ipv4Net::new(address, prefix).ok().map(IpNet::V4),
        None => Some(network),
    }
}

/// The address may hold a password, so it is never shown.
fn redis(text: String) -> Result<Secret, ConfigurationError> {
    let is_address = text.starts_with("redis://") || text.starts_with("rediss://");
    let is_uri = text.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some());
    if is_address && is_uri {
        return Ok(Secret::new(text));
    }
    Err(not_allowed("SOUK_REDIS_URL", &"*".repeat(text.len()), "as in redis://127.0.0.1:6379/0"))
}

fn public_url(text: String) -> Result<String, ConfigurationError> {
    if origin(&text).is_some() {
        return Ok(text);
    }
    Err(not_allowed("SOUK_PUBLIC_URL", &text, "an origin, as in https://shop.example"))
}

/// What stands between commas; the first that can't be read otherwise.
fn list<T>(value: Option<&String>, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let texts = value.into_iter().flat_map(|value| value.split(',')).map(str::trim);
    let texts = texts.filter(|text| !text.is_empty());
    // A password with a comma is cut: where one may be, the whole value is named, which hides it.
    let refused =
        |text: &str| value.filter(|value| value.contains('@')).map_or(text, String::as_str).to_owned();
    texts.map(|text| read(text).ok_or_else(|| refused(text))).collect()
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

/// A switch, which is off unless told otherwise.
fn flag(name: &'static str, value: Option<String>) -> Result<bool, ConfigurationError> {
    let text = value.unwrap_or_else(|| "false".to_owned());
    text.parse().map_err(|_| not_allowed(name, &text, "true or false"))
}

/// A whole number within limits, or the first of the three.
fn number(
    name: &'static str,
    value: Option<String>,
    (usual, range, allowed): (u32, RangeInclusive<u32>, &'static str),
) -> Result<u32, ConfigurationError> {
    let Some(text) = value else { return Ok(usual) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| not_allowed(name, &text, allowed))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().filter(|seconds| (1..=PAYMENT_TIMEOUT_S_MAX).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

fn cores(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.01..=64.0).contains(share))
}

#[cfg(test)]
mod tests;
