use super::checked::trusted_network;
use super::*;

fn checked(change: impl FnOnce(&mut Raw)) -> Result<Configuration, String> {
    let mut raw = Raw::default();
    change(&mut raw);
    Configuration::checked(raw, &Overrides::default()).map_err(|error| error.to_string())
}

// Proves: operations.configuration
#[test]
fn defaults_are_allowed_and_flags_win() {
    assert_eq!(checked(|_| ()).unwrap().listen.port(), 8080);
    let overrides = Overrides { listen: Some("127.0.0.1:9".parse().unwrap()), ..Overrides::default() };
    let raw = Raw { listen: Some("127.0.0.1:1".into()), ..Raw::default() };
    assert_eq!(Configuration::checked(raw, &overrides).unwrap().listen.port(), 9);
}

// Proves: operations.configuration
#[test]
fn wrong_values_are_refused_with_the_name_of_the_setting() {
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
        ("SOUK_ROLE", checked(|raw| raw.role = Some("everything".into()))),
        ("SOUK_UPSTREAM_COMMANDS", checked(|raw| raw.role = Some("gateway".into()))),
        ("SOUK_UPSTREAM_TIMEOUT_S", checked(|raw| raw.upstream_timeout_s = Some("0".into()))),
        ("SOUK_REDIS_URL", checked(|raw| raw.redis_url = Some("127.0.0.1:6379".into()))),
        ("SOUK_PUBLIC_URL", checked(|raw| raw.public_url = Some("shop.example".into()))),
        ("SOUK_WITHOUT_KEYS", checked(|raw| raw.without_keys = Some("yes".into()))),
        ("SOUK_LOG_JSON", checked(|raw| raw.log_json = Some("maybe".into()))),
    ] {
        let error = error.unwrap_err();
        assert!(error.starts_with(name) && error.contains("is not allowed"), "{error}");
    }
}

#[test]
fn a_trusted_proxy_may_be_a_single_address() {
    let text = "10.0.0.5, 192.0.2.0/24,2001:db8::1";
    let configuration = checked(|raw| raw.trusted_proxies = Some(text.into())).unwrap();
    let networks: Vec<String> = configuration.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.5/32", "192.0.2.0/24", "2001:db8::1/128"]);
}

#[test]
fn every_described_setting_can_be_set_by_a_variable() {
    let known = variables::known();
    let described = checked(|_| ()).unwrap().describe();
    assert!(described.iter().all(|(name, ..)| known.iter().any(|known| known == name)), "{known:?}");
}

// Proves: operations.secrets-are-hidden
#[test]
fn secrets_are_never_described() {
    let configuration = checked(|raw| raw.webhook_secret = Some("correct horse".into())).unwrap();
    assert!(!format!("{:?}", configuration.describe()).contains("horse"));
    let error = checked(|raw| raw.webhook_secret = Some("short".into())).unwrap_err();
    assert!(!error.contains("short"));
}

/// Returns a provider with this issuer, as it is read from variables.
fn provider(issuer: &str) -> BTreeMap<String, RawProvider> {
    let variables = [("ISSUER", issuer), ("CLIENT_ID", "souk"), ("CLIENT_SECRET", "tell nobody")];
    let variables = variables.map(|(part, value)| (format!("SOUK_OIDC_WORK_{part}"), value.to_owned()));
    let (of_providers, others) = providers::split(variables.into_iter().collect());
    assert!(others.is_empty());
    let mut raw = BTreeMap::new();
    providers::apply(&mut raw, of_providers);
    raw
}

// Proves: operations.secrets-are-hidden
#[test]
fn a_provider_has_its_name_and_its_secret_is_hidden() {
    let configuration = checked(|raw| raw.oidc = provider("https://accounts.example")).unwrap();
    let work = &configuration.identity_providers[0];
    assert_eq!((work.name.as_str(), work.client_secret.expose()), ("work", "tell nobody"));
    assert!(!format!("{configuration:?} {:?}", configuration.describe()).contains("tell nobody"));
}

#[test]
fn a_provider_without_tls_or_without_an_issuer_is_refused() {
    for issuer in ["http://accounts.example", "accounts.example", "https://a.example/?b", "ftp://127.0.0.1"] {
        let error = checked(|raw| raw.oidc = provider(issuer)).unwrap_err();
        assert!(error.starts_with("SOUK_OIDC_WORK_ISSUER"), "{error}");
    }
    let half = |raw: &mut Raw| {
        raw.oidc = provider("https://accounts.example");
        providers::apply(
            &mut raw.oidc,
            vec![("other".to_owned(), providers::ProviderField::ClientId, "x".to_owned())],
        );
    };
    let error = checked(half).unwrap_err();
    assert!(error.starts_with("SOUK_OIDC_OTHER_ISSUER"), "{error}");
}

#[test]
fn a_gateway_needs_the_addresses_of_its_upstreams() {
    let gateway = checked(|raw| {
        raw.role = Some("gateway".into());
        raw.upstream_commands = Some("http://10.0.0.5:8080".into());
        raw.upstream_queries = Some("https://reads.example".into());
    });
    assert!(matches!(gateway.unwrap().role, Role::Gateway { .. }));
}

#[test]
fn users_and_passwords_in_addresses_are_hidden() {
    for text in [
        "https://ada:pass@accounts.example/x",
        "https://ada:pa/ss@accounts.example",
        "http://user:pa,ss@host",
        "http://a:b@c,http://d:e@f",
        "https:/u:pass@h",
        "ada:pass@here",
    ] {
        let shown = without_userinfo(text);
        assert_eq!(shown, "(hidden, because a password may be before an @)", "{text}");
    }
    assert_eq!(without_userinfo("https://accounts.example"), "https://accounts.example");
    let address = || "https://ada:correct-horse@shop.example".to_owned();
    for error in [
        checked(|raw| raw.oidc = provider(&address())),
        checked(|raw| raw.public_url = Some(address())),
        checked(|raw| raw.cors_origins = Some(address())),
        checked(|raw| raw.trusted_proxies = Some(address())),
        checked(|raw| raw.redis_url = Some(format!("x{}", address()))),
        checked(|raw| raw.listen = Some(address())),
        checked(|raw| {
            raw.role = Some("gateway".into());
            raw.upstream_commands = Some(address());
        }),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains("is not allowed") && !error.contains("horse"), "{error}");
    }
}

#[test]
fn an_error_in_the_file_names_the_line_number_but_does_not_quote_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("souk.toml");
    std::fs::write(&path, "currency = \"GBP\"\nredis_url = \"redis://:hunter2@h\n").unwrap();
    let overrides = Overrides { file: Some(path), ..Overrides::default() };
    let error = Configuration::load(&overrides).unwrap_err().to_string();
    assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    let broken = checked(|raw| raw.cors_origins = Some("http://user:hunter2,x@host".into()));
    assert!(!broken.unwrap_err().contains("hunter2"));
}

#[test]
fn mapped_networks_of_proxies_are_read_in_their_ipv4_form() {
    for (text, network) in [
        ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
        ("::ffff:0:0/96", Some("0.0.0.0/0")),
        ("::ffff:0:0/95", Some("::ffff:0:0/95")),
        ("fd00::/8", Some("fd00::/8")),
        ("192.0.2.0/24", Some("192.0.2.0/24")),
        ("192.0.2.0/33", None),
    ] {
        assert_eq!(trusted_network(text), network.map(|network| network.parse().unwrap()), "{text}");
    }
}
