//! What is in force, as people read it.

use super::{Configuration, IdentityProvider, Limiting, Role, joined};

impl Configuration {
    /// Name, value and meaning of everything, secrets hidden.
    pub fn describe(&self) -> Vec<(&'static str, String, &'static str)> {
        let secret = if self.webhook_secret.is_some() { "(set)" } else { "(not set: webhooks are refused)" };
        let master_key = if self.master_key.is_some() { "(set)" } else { "(not set)" }.to_owned();
        let (role, commands, queries, timeout) = match &self.role {
            Role::Shop => ("all", String::new(), String::new(), String::new()),
            Role::Gateway { commands, queries, timeout } => {
                ("gateway", commands.clone(), queries.clone(), timeout.as_secs().to_string())
            }
        };
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
                match self.limits {
                    Limiting::On => "on",
                    Limiting::Guesses => "guesses",
                    Limiting::Off => "off",
                }
                .to_owned(),
                "who is slowed down: whoever asks too often or guesses, who guesses, or nobody",
            ),
            (
                "SOUK_REDIS_URL",
                if self.redis.is_some() { "(set)" } else { "(not set: this process counts alone)" }
                    .to_owned(),
                "where gateways count together and share ended sessions",
            ),
            (
                "SOUK_PUBLIC_URL",
                self.public_url.clone().unwrap_or_else(|| "(where it listens)".to_owned()),
                "where browsers find the shop",
            ),
            ("SOUK_ROLE", role.to_owned(), "what this process does: all, or gateway"),
            ("SOUK_UPSTREAM_COMMANDS", commands, "who answers a gateway's writes"),
            ("SOUK_UPSTREAM_QUERIES", queries, "who answers a gateway's reads"),
            ("SOUK_UPSTREAM_TIMEOUT_S", timeout, "seconds their answers may take, at most"),
            (
                "SOUK_OIDC_NAME_ISSUER",
                self.identity_providers.iter().map(IdentityProvider::described).collect::<Vec<_>>().join(" "),
                "identity providers; also SOUK_OIDC_NAME_CLIENT_ID and SOUK_OIDC_NAME_CLIENT_SECRET",
            ),
            (
                "SOUK_TRUSTED_PROXIES",
                joined(&self.trusted_proxies),
                "networks and addresses of proxies in front, whose word about their clients is taken",
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
            (
                "SOUK_WITHOUT_KEYS",
                self.without_keys.to_string(),
                "whether the shop opens although keys of people are missing",
            ),
            ("SOUK_LOG", self.log.clone(), "which log lines are written"),
            ("SOUK_LOG_JSON", self.log_json.to_string(), "whether log lines are JSON"),
        ]
    }
}
