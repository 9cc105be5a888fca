//! TLS between the processes of a shop: real handshakes, with certificates of an authority of the test.

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

use super::process::{Gateway, Shop};
use super::stocked;

/// Whoever believes in it believes what is behind its doors.
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

    /// The variable by which a process believes in this authority and in no other.
    fn believed(&self) -> (&'static str, String) {
        ("SSL_CERT_FILE", self.folder.path().join("authority.pem").to_str().unwrap().to_owned())
    }

    /// Opens a door that speaks TLS as `name` and passes on to an address in plain; its port.
    async fn door(&self, name: &str, behind: &str) -> u16 {
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
        let behind = behind.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    // Whoever does not believe in the certificate goes away again.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut behind) = TcpStream::connect(behind).await else { return };
                    let _ = copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        port
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_speaks_tls_to_the_shop_and_to_redis() {
    let (authority, redis) = (Authority::new(), Redis::start().unwrap());
    let shop = Shop::start(&[("SOUK_TRUSTED_PROXIES", "127.0.0.0/8"), ("SOUK_LIMITS", "guesses")]).await;
    stocked(&shop, "LAMP", 5).await;
    let shops = authority.door("localhost", shop.address().trim_start_matches("http://")).await;
    let counts = authority.door("localhost", redis.url().trim_start_matches("redis://")).await;
    let (upstream, redis_url) =
        (format!("https://localhost:{shops}"), format!("rediss://localhost:{counts}"));
    let believed = authority.believed();
    let variables = [
        (believed.0, believed.1.as_str()),
        ("SOUK_REDIS_URL", redis_url.as_str()),
        ("SOUK_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let gateway = Gateway::start(&upstream, &variables).await;
    let far = [("x-forwarded-for", "203.0.113.9")];
    let (status, products) = gateway.send("GET", "/api/products", &Value::Null, &far).await;
    assert_eq!((status, products["items"].as_array().map(Vec::len)), (200, Some(1)), "{products}");
    // Counted where it was asked to be.
    let counted = redis.command("KEYS souk:limit:*").unwrap();
    assert!(counted.contains("203.0.113.9"), "{counted}");
    gateway.until("/health/ready", |text| text == "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_believed_who_is_somebody_else_or_vouched_for_by_nobody() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let shop = Shop::start(&[]).await;
    let plain = shop.address().trim_start_matches("http://");
    let doors = [
        ("another name", authority.door("shop.example", plain).await),
        ("another authority", stranger.door("localhost", plain).await),
    ];
    for (what, port) in doors {
        let believed = authority.believed();
        let gateway =
            Gateway::open(&format!("https://localhost:{port}"), &[(believed.0, believed.1.as_str())]);
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
async fn somebody_signs_in_by_a_provider_that_is_asked_over_tls() {
    let authority = Authority::new();
    let (address, behind) = (format!("127.0.0.1:{}", free_port().unwrap()), free_port().unwrap());
    let callback = format!("http://{address}/api/auth/oidc/work/callback");
    let client = Client { id: "souk".into(), secret: "tell nobody".into(), redirect_uri: callback.clone() };
    let door = authority.door("localhost", &format!("127.0.0.1:{behind}")).await;
    let issuer = format!("https://localhost:{door}");
    let provider = OpenIdProvider::start_as(issuer, behind, client).unwrap();
    let believed = authority.believed();
    let variables = [
        (believed.0, believed.1.as_str()),
        ("SOUK_OIDC_WORK_ISSUER", provider.issuer()),
        ("SOUK_OIDC_WORK_CLIENT_ID", "souk"),
        ("SOUK_OIDC_WORK_CLIENT_SECRET", "tell nobody"),
    ];
    let shop = Shop::start_at(&address, &variables).await;
    let (begin, named) =
        (format!("{}/api/auth/oidc/work/start", shop.address()), provider.issuer().to_owned());
    let plain = format!("http://{}", provider.address());
    let signed_in = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::default();
        let page = browser.get(&begin).unwrap().location.unwrap();
        // The shop speaks TLS to the provider; this browser can't, and goes around the door.
        let page = page.replacen(&named, &plain, 1);
        let back = browser.sign_in(&page, "ada@example.org", &callback).unwrap();
        browser.get(&back).unwrap()
    });
    let page = signed_in.await.unwrap();
    assert!(page.status == 200 && page.body.contains("accessToken"), "{page:?}");
}
