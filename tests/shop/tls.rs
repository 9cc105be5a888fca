//! TLS between the processes of a shop: real handshakes, with certificates of a test authority.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use souk_servers::{Browser, Client, OpenIdProvider, Redis, free_port};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::add_stock;
use super::process::{Gateway, Shop};

/// A certificate authority. Processes that trust it accept the TLS proxies of [`Authority::proxy`].
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Returns the environment variable that makes a process trust only this authority.
    fn trust_variable(&self) -> (&'static str, String) {
        ("SSL_CERT_FILE", self.folder.path().join("authority.pem").to_str().unwrap().to_owned())
    }

    /// Starts a TLS proxy with a certificate for `name`. It forwards the plain text to the address
    /// `upstream`. Returns its port.
    async fn proxy(&self, name: &str, upstream: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let server = server.unwrap().with_no_client_auth();
        let server = server.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = upstream.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                let upstream = upstream.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate ends the handshake.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut plain) = TcpStream::connect(upstream).await else { return };
                    let _ = copy_bidirectional(&mut stream, &mut plain).await;
                });
            }
        });
        port
    }
}

// Proves: edge.verified-tls
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_speaks_tls_to_the_shop_and_to_redis() {
    let authority = Authority::new();
    let redis = Redis::start().unwrap();
    let shop = Shop::start(&[("SOUK_TRUSTED_PROXIES", "127.0.0.0/8"), ("SOUK_LIMITS", "guesses")]).await;
    add_stock(&shop, "LAMP", 5).await;
    let shop_port = authority.proxy("localhost", shop.address().trim_start_matches("http://")).await;
    let redis_port = authority.proxy("localhost", redis.url().trim_start_matches("redis://")).await;
    let upstream = format!("https://localhost:{shop_port}");
    let redis_url = format!("rediss://localhost:{redis_port}");
    let trust = authority.trust_variable();
    let variables = [
        (trust.0, trust.1.as_str()),
        ("SOUK_REDIS_URL", redis_url.as_str()),
        ("SOUK_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let gateway = Gateway::start(&upstream, &variables).await;
    let far = [("x-forwarded-for", "203.0.113.9")];
    let (status, products) = gateway.send("GET", "/api/products", &Value::Null, &far).await;
    assert_eq!((status, products["items"].as_array().map(Vec::len)), (200, Some(1)), "{products}");
    // The request was counted in this Redis.
    let counted = redis.command("KEYS souk:limit:*").unwrap();
    assert!(counted.contains("203.0.113.9"), "{counted}");
    gateway.wait_until("/health/ready", |text| text == "ready").await;
}

// Proves: edge.verified-tls
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_with_a_wrong_name_or_an_unknown_authority_is_refused() {
    let authority = Authority::new();
    let untrusted = Authority::new();
    let shop = Shop::start(&[]).await;
    let plain = shop.address().trim_start_matches("http://");
    let proxies = [
        ("another name", authority.proxy("shop.example", plain).await),
        ("another authority", untrusted.proxy("localhost", plain).await),
    ];
    for (what, port) in proxies {
        let trust = authority.trust_variable();
        let gateway = Gateway::open(&format!("https://localhost:{port}"), &[(trust.0, trust.1.as_str())]);
        let (status, problem) = gateway.send("GET", "/api/products", &Value::Null, &[]).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (503, Some("upstream-unavailable")),
            "{what}: {problem}"
        );
        assert_eq!(gateway.text("/health/ready").await.0, 503, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_a_provider_over_tls() {
    let authority = Authority::new();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let plain_port = free_port().unwrap();
    let callback = format!("http://{address}/api/auth/oidc/work/callback");
    let client = Client { id: "souk".into(), secret: "tell nobody".into(), redirect_uri: callback.clone() };
    let tls_port = authority.proxy("localhost", &format!("127.0.0.1:{plain_port}")).await;
    let issuer = format!("https://localhost:{tls_port}");
    let provider = OpenIdProvider::start_as(issuer, plain_port, client).unwrap();
    let trust = authority.trust_variable();
    let variables = [
        (trust.0, trust.1.as_str()),
        ("SOUK_OIDC_WORK_ISSUER", provider.issuer()),
        ("SOUK_OIDC_WORK_CLIENT_ID", "souk"),
        ("SOUK_OIDC_WORK_CLIENT_SECRET", "tell nobody"),
    ];
    let shop = Shop::start_at(&address, &variables).await;
    let begin = format!("{}/api/auth/oidc/work/start", shop.address());
    let issuer = provider.issuer().to_owned();
    let plain = format!("http://{}", provider.address());
    let signed_in = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::default();
        let page = browser.get(&begin).unwrap().location.unwrap();
        // The shop uses TLS to reach the provider. The test browser has no TLS and connects directly.
        let page = page.replacen(&issuer, &plain, 1);
        let back = browser.sign_in(&page, "ada@example.org", &callback).unwrap();
        browser.get(&back).unwrap()
    });
    let page = signed_in.await.unwrap();
    assert!(page.status == 200 && page.body.contains("accessToken"), "{page:?}");
}
