//! Checks of the values as they are written. A wrong value is refused with its name and the allowed values.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderValue, Uri};
use ipnet::{IpNet, Ipv4Net};
use souk_domain::{Currency, money};
use souk_sign_in::password::Cost;

use super::{Configuration, ConfigurationError, LimitMode, Overrides, Raw, Role, Secret, providers};

/// Default data folder.
const DATA: &str = "souk-data";
/// Default address and port of the API.
const LISTEN: &str = "127.0.0.1:8080";
/// Default currency.
const CURRENCY: &str = "GBP";
/// Default payment timeout in seconds.
const PAYMENT_TIMEOUT_S: &str = "900";
/// Maximum payment timeout in seconds: thirty days.
const PAYMENT_TIMEOUT_S_MAX: u64 = 30 * 24 * 3600;
/// Minimum length of the webhook secret in bytes.
const WEBHOOK_SECRET_BYTES_MIN: usize = 8;
/// Default number of cores that a rebuild may use while the shop runs.
const REBUILD_CPU_SHARE: &str = "0.4";
/// Default filter of log lines.
const LOG: &str = "warn,souk=info";

/// Memory for hashing a password, in KiB.
const ARGON2_MEMORY_KIB: Number =
    Number { default: 19 * 1024, range: 8..=1024 * 1024, allowed: "must be KiB from 8 to 1048576" };
/// Passes over that memory.
const ARGON2_PASSES: Number =
    Number { default: 2, range: 1..=100, allowed: "must be a number of passes from 1 to 100" };
/// Timeout of an upstream's response, in seconds. A route may have a shorter timeout.
const UPSTREAM_TIMEOUT_S: Number =
    Number { default: 900, range: 1..=900, allowed: "must be whole seconds from 1 to 900" };

/// Whole number with a default and a range.
struct Number {
    default: u32,
    range: RangeInclusive<u32>,
    /// Allowed values, for the error message.
    allowed: &'static str,
}

impl Configuration {
    /// Checks all values. Flags override the values of the file and of variables.
    pub(super) fn checked(raw: Raw, overrides: &Overrides) -> Result<Self, ConfigurationError> {
        let data = overrides.data.clone().or(raw.data.map(PathBuf::from));
        Ok(Self {
            data: data.unwrap_or_else(|| PathBuf::from(DATA)),
            listen: listen(overrides.listen, raw.listen)?,
            internal_listen: internal_listen(overrides.internal_listen, raw.internal_listen)?,
            currency: currency(raw.currency)?,
            payment_timeout: payment_timeout(raw.payment_timeout_s)?,
            webhook_secret: raw.webhook_secret.map(webhook_secret).transpose()?,
            rebuild_cpu_share: rebuild_cpu_share(raw.rebuild_cpu_share)?,
            role: role(
                overrides.role.clone().or(raw.role),
                overrides.upstream_commands.clone().or(raw.upstream_commands),
                overrides.upstream_queries.clone().or(raw.upstream_queries),
                raw.upstream_timeout_s,
            )?,
            limits: limits(raw.limits.as_deref())?,
            redis: raw.redis_url.map(redis).transpose()?,
            public_url: raw.public_url.map(public_url).transpose()?,
            identity_providers: providers::checked(raw.oidc)?,
            trusted_proxies: list(raw.trusted_proxies.as_ref(), trusted_network).map_err(|value| {
                let allowed =
                    "must be networks and addresses with commas between them, for example 10.0.0.0/8 or 10.0.0.5";
                not_allowed("SOUK_TRUSTED_PROXIES", &value, allowed)
            })?,
            cors_origins: list(raw.cors_origins.as_ref(), origin).map_err(|value| {
                let allowed = "must be origins with commas between them, for example https://shop.example";
                not_allowed("SOUK_CORS_ORIGINS", &value, allowed)
            })?,
            password_cost: Cost {
                memory_kib: number("SOUK_ARGON2_MEMORY_KIB", raw.argon2_memory_kib, &ARGON2_MEMORY_KIB)?,
                passes: number("SOUK_ARGON2_PASSES", raw.argon2_passes, &ARGON2_PASSES)?,
            },
            master_key: raw.master_key.map(Secret::new),
            master_key_file: raw.master_key_file.map(PathBuf::from),
            without_keys: overrides.without_keys || flag("SOUK_WITHOUT_KEYS", raw.without_keys)?,
            log: raw.log.unwrap_or_else(|| LOG.to_owned()),
            log_json: flag("SOUK_LOG_JSON", raw.log_json)?,
        })
    }
}

pub(super) fn not_allowed(name: &str, value: &str, allowed: &'static str) -> ConfigurationError {
    ConfigurationError::NotAllowed { name: name.to_owned(), value: without_userinfo(value), allowed }
}

/// Returns the text, or a note instead if the text contains an `@`, because a password may be before the `@`.
pub(super) fn without_userinfo(text: &str) -> String {
    if text.contains('@') {
        "(hidden, because a password may be before an @)".to_owned()
    } else {
        text.to_owned()
    }
}

fn listen(flag: Option<SocketAddr>, text: Option<String>) -> Result<SocketAddr, ConfigurationError> {
    if let Some(address) = flag {
        return Ok(address);
    }
    let text = text.unwrap_or_else(|| LISTEN.to_owned());
    text.parse().map_err(|_| {
        not_allowed("SOUK_LISTEN", &text, "must be an IP address and a port, for example 127.0.0.1:8080")
    })
}

fn internal_listen(
    flag: Option<SocketAddr>,
    text: Option<String>,
) -> Result<Option<SocketAddr>, ConfigurationError> {
    let (None, Some(text)) = (flag, text) else { return Ok(flag) };
    text.parse().map(Some).map_err(|_| {
        let allowed = "must be an IP address and a port, for example 127.0.0.1:9090";
        not_allowed("SOUK_INTERNAL_LISTEN", &text, allowed)
    })
}

fn currency(code: Option<String>) -> Result<Currency, ConfigurationError> {
    let code = code.unwrap_or_else(|| CURRENCY.to_owned());
    money::currency(&code)
        .ok_or_else(|| not_allowed("SOUK_CURRENCY", &code, "must be an ISO 4217 code, for example GBP"))
}

fn payment_timeout(text: Option<String>) -> Result<Duration, ConfigurationError> {
    let text = text.unwrap_or_else(|| PAYMENT_TIMEOUT_S.to_owned());
    let seconds = text.parse().ok().filter(|seconds| (1..=PAYMENT_TIMEOUT_S_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        not_allowed("SOUK_PAYMENT_TIMEOUT_S", &text, "must be whole seconds from 1 to 2592000")
    })
}

/// The error message hides the secret.
fn webhook_secret(secret: String) -> Result<Secret, ConfigurationError> {
    if secret.len() >= WEBHOOK_SECRET_BYTES_MIN {
        return Ok(Secret::new(secret));
    }
    Err(not_allowed("SOUK_WEBHOOK_SECRET", &"*".repeat(secret.len()), "must have at least 8 bytes"))
}

fn rebuild_cpu_share(text: Option<String>) -> Result<f64, ConfigurationError> {
    let text = text.unwrap_or_else(|| REBUILD_CPU_SHARE.to_owned());
    let cores = text.parse().ok().filter(|cores| (0.01..=64.0).contains(cores));
    cores.ok_or_else(|| {
        not_allowed("SOUK_REBUILD_CPU_SHARE", &text, "must be cores from 0.01 to 64, for example 0.4")
    })
}

fn limits(text: Option<&str>) -> Result<LimitMode, ConfigurationError> {
    match text {
        None | Some("on") => Ok(LimitMode::On),
        Some("guesses") => Ok(LimitMode::Guesses),
        Some("off") => Ok(LimitMode::Off),
        Some(other) => Err(not_allowed("SOUK_LIMITS", other, "must be on, guesses or off")),
    }
}

fn role(
    name: Option<String>,
    commands: Option<String>,
    queries: Option<String>,
    timeout_s: Option<String>,
) -> Result<Role, ConfigurationError> {
    const ADDRESS: &str =
        "must be the address of an upstream if the role is gateway, for example http://10.0.0.5:8080";
    let timeout = number("SOUK_UPSTREAM_TIMEOUT_S", timeout_s, &UPSTREAM_TIMEOUT_S)?;
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
        Some(other) => Err(not_allowed("SOUK_ROLE", &other, "must be all or gateway")),
    }
}

/// Reads a network of proxies, or a single address. Client addresses are compared in their IPv4 form if they
/// have one, so an IPv4-mapped IPv6 network is converted to its IPv4 network.
pub(super) fn trusted_network(text: &str) -> Option<IpNet> {
    /// Number of bits before the IPv4 address in an IPv4-mapped address.
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

/// The address may contain a password, so the error message hides it.
fn redis(text: String) -> Result<Secret, ConfigurationError> {
    let is_address = text.starts_with("redis://") || text.starts_with("rediss://");
    let is_uri = text.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some());
    if is_address && is_uri {
        return Ok(Secret::new(text));
    }
    let hidden = "*".repeat(text.len());
    Err(not_allowed("SOUK_REDIS_URL", &hidden, "must be an address such as redis://127.0.0.1:6379/0"))
}

fn public_url(text: String) -> Result<String, ConfigurationError> {
    if origin(&text).is_some() {
        return Ok(text);
    }
    Err(not_allowed("SOUK_PUBLIC_URL", &text, "must be an origin, for example https://shop.example"))
}

/// Reads a list with commas. The error is the first item that can't be read.
fn list<T>(value: Option<&String>, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let texts = value.into_iter().flat_map(|value| value.split(',')).map(str::trim);
    let texts = texts.filter(|text| !text.is_empty());
    // A password with a comma would be split, and its second part would not be hidden. So if the value
    // contains an `@`, the error is the whole value, which is then hidden.
    let refused =
        |text: &str| value.filter(|value| value.contains('@')).map_or(text, String::as_str).to_owned();
    texts.map(|text| read(text).ok_or_else(|| refused(text))).collect()
}

/// Reads an origin as browsers send it: a scheme and a host, without a path.
fn origin(text: &str) -> Option<HeaderValue> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_host = !host.is_empty() && !host.contains(['/', '*', '@', '?', '#', ' ']);
    is_host.then(|| HeaderValue::try_from(text).ok()).flatten()
}

/// Reads a switch. The default is off.
fn flag(name: &'static str, value: Option<String>) -> Result<bool, ConfigurationError> {
    let text = value.unwrap_or_else(|| "false".to_owned());
    text.parse().map_err(|_| not_allowed(name, &text, "must be true or false"))
}

fn number(name: &'static str, value: Option<String>, limits: &Number) -> Result<u32, ConfigurationError> {
    let Some(text) = value else { return Ok(limits.default) };
    let number = text.parse().ok().filter(|number| limits.range.contains(number));
    number.ok_or_else(|| not_allowed(name, &text, limits.allowed))
}
