//! Description of the configuration in use, for people.

use super::{Configuration, IdentityProvider, LimitMode, Role};

/// Setting with its variable name, its value and its meaning.
type Setting = (&'static str, String, &'static str);

impl Configuration {
    /// Returns the name, value and meaning of every setting. Secrets are hidden.
    pub fn describe(&self) -> Vec<Setting> {
        let mut settings = self.describe_shop();
        settings.extend(self.describe_gateway());
        settings.extend(self.describe_security());
        settings.push(("SOUK_LOG", self.log.clone(), "filter for the log lines that are written"));
        settings.push(("SOUK_LOG_JSON", self.log_json.to_string(), "true if log lines are JSON"));
        settings
    }

    fn describe_shop(&self) -> Vec<Setting> {
        let internal = self
            .internal_listen
            .map_or("(not set: the API address serves /metrics)".to_owned(), |address| address.to_string());
        let secret = is_set(self.webhook_secret.is_some(), "(not set: webhooks are refused)");
        vec![
            ("SOUK_DATA", self.data.display().to_string(), "data folder"),
            ("SOUK_LISTEN", self.listen.to_string(), "address and port of the HTTP API"),
            ("SOUK_INTERNAL_LISTEN", internal, "address and port of metrics and the release gate"),
            ("SOUK_CURRENCY", self.currency.code().to_owned(), "currency of the shop"),
            (
                "SOUK_PAYMENT_TIMEOUT_S",
                self.payment_timeout.as_secs().to_string(),
                "seconds that an order waits for its payment",
            ),
            ("SOUK_WEBHOOK_SECRET", secret, "secret that signs the webhooks of the payment provider"),
            (
                "SOUK_REBUILD_CPU_SHARE",
                self.rebuild_cpu_share.to_string(),
                "cores that a rebuild may use while the shop runs",
            ),
        ]
    }

    fn describe_gateway(&self) -> Vec<Setting> {
        let limits = match self.limits {
            LimitMode::On => "on",
            LimitMode::Guesses => "guesses",
            LimitMode::Off => "off",
        };
        let redis = is_set(self.redis.is_some(), "(not set: this process counts only its own requests)");
        let public_url = self.public_url.clone().unwrap_or_else(|| "(the listen address)".to_owned());
        let (role, commands, queries, timeout) = match &self.role {
            Role::Shop => ("all", String::new(), String::new(), String::new()),
            Role::Gateway { commands, queries, timeout } => {
                ("gateway", commands.clone(), queries.clone(), timeout.as_secs().to_string())
            }
        };
        vec![
            (
                "SOUK_LIMITS",
                limits.to_owned(),
                "limits for clients: on (request rates and guesses), guesses (only guesses), or off",
            ),
            ("SOUK_REDIS_URL", redis, "Redis in which gateways share counts and ended sessions"),
            ("SOUK_PUBLIC_URL", public_url, "address of the shop for browsers"),
            ("SOUK_ROLE", role.to_owned(), "role of this process: all, or gateway"),
            ("SOUK_UPSTREAM_COMMANDS", commands, "upstream to which a gateway forwards writes"),
            ("SOUK_UPSTREAM_QUERIES", queries, "upstream to which a gateway forwards reads"),
            ("SOUK_UPSTREAM_TIMEOUT_S", timeout, "timeout of an upstream's response in seconds"),
        ]
    }

    fn describe_security(&self) -> Vec<Setting> {
        let providers: Vec<String> = self.identity_providers.iter().map(IdentityProvider::describe).collect();
        let origins: Vec<&str> = self.cors_origins.iter().filter_map(|origin| origin.to_str().ok()).collect();
        let key_file = self
            .master_key_file
            .as_ref()
            .map_or("(keys/master in the data folder)".to_owned(), |path| path.display().to_string());
        vec![
            (
                "SOUK_OIDC_NAME_ISSUER",
                providers.join(" "),
                "identity providers; also SOUK_OIDC_NAME_CLIENT_ID and SOUK_OIDC_NAME_CLIENT_SECRET",
            ),
            (
                "SOUK_TRUSTED_PROXIES",
                joined(&self.trusted_proxies),
                "networks and addresses of proxies that are trusted to name the client address",
            ),
            ("SOUK_CORS_ORIGINS", origins.join(","), "origins of websites whose scripts may send requests"),
            (
                "SOUK_ARGON2_MEMORY_KIB",
                self.password_cost.memory_kib.to_string(),
                "memory for hashing a password, in KiB",
            ),
            ("SOUK_ARGON2_PASSES", self.password_cost.passes.to_string(), "passes over that memory"),
            (
                "SOUK_MASTER_KEY",
                is_set(self.master_key.is_some(), "(not set)"),
                "master key that encrypts the keys of people, instead of a file",
            ),
            ("SOUK_MASTER_KEY_FILE", key_file, "file that contains the master key"),
            (
                "SOUK_WITHOUT_KEYS",
                self.without_keys.to_string(),
                "true if the shop starts even if keys of people are missing",
            ),
        ]
    }
}

fn is_set(is_set: bool, otherwise: &str) -> String {
    if is_set { "(set)" } else { otherwise }.to_owned()
}

fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
