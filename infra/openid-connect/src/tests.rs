use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use openidconnect::{AsyncHttpClient, HttpRequest};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use souk_eventsourcing::testkit::noon;
use souk_servers::{Browser, Client as Registered, OpenIdProvider, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// The machine's clock plus some seconds. Tokens of a real provider are valid in real time.
#[derive(Default)]
struct RealTime(AtomicI64);

impl Clock for RealTime {
    #[expect(clippy::disallowed_methods, reason = "the provider's clock is the machine's")]
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
    fn new_id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
}

fn providers(issuer: &str, secret: &str) -> OpenIdConnect {
    providers_at(issuer, secret, &Arc::default())
}

fn providers_at(issuer: &str, secret: &str, clock: &Arc<RealTime>) -> OpenIdConnect {
    let text = str::to_owned;
    let provider = Provider {
        name: text("work"),
        issuer: text(issuer),
        client_id: text("souk"),
        client_secret: text(secret),
    };
    OpenIdConnect::new(vec![provider], Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

fn engine() -> OpenIdProvider {
    let text = str::to_owned;
    let client = Registered { id: text("souk"), secret: text("tell nobody"), redirect_uri: text(REDIRECT) };
    OpenIdProvider::start(free_port().unwrap(), client).unwrap()
}

/// Begins a sign-in and signs in on the provider's pages. Returns the flow and the authorization code.
async fn sign_in(providers: &OpenIdConnect, login: &str) -> (Flow, String) {
    let begun = providers.begin("work", REDIRECT).await.unwrap();
    let url = begun.url.clone();
    let login = login.to_owned();
    let back = tokio::task::spawn_blocking(move || Browser::default().sign_in(&url, &login, REDIRECT));
    let back = back.await.unwrap().unwrap();
    let parameter = |name: &str| {
        let query = back.split_once('?').unwrap().1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        value.unwrap().to_owned()
    };
    assert_eq!(parameter("state"), begun.state);
    let FlowStart { issuer, sends_issuer, state, nonce, verifier, .. } = begun;
    let provider = "work".to_owned();
    let flow = Flow {
        provider,
        issuer,
        sends_issuer,
        state,
        nonce,
        verifier,
        return_to: None,
        user: None,
        session: None,
        begun_at: noon(),
    };
    (flow, parameter("code"))
}

#[tokio::test]
async fn a_code_of_a_real_provider_gives_the_identity_once() {
    let engine = engine();
    let providers = providers(engine.issuer(), "tell nobody");
    let (flow, code) = sign_in(&providers, "ada@example.org").await;
    let identity = providers.finish(&flow, &code, REDIRECT).await.unwrap();
    assert_eq!(identity.subject, "ada@example.org");
    assert_eq!(identity.verified_email, Some(Email::parse("ada@example.org").unwrap()));
    assert_eq!(identity.name.as_deref(), Some("Name of ada@example.org"));
    let again = providers.finish(&flow, &code, REDIRECT).await;
    assert!(matches!(again, Err(ProviderFailed::Refused(_))), "{again:?}");
    let (flow, code) = sign_in(&providers, "unverified@example.org").await;
    assert_eq!(providers.finish(&flow, &code, REDIRECT).await.unwrap().verified_email, None);
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_refused() {
    let engine = engine();
    let providers = providers(engine.issuer(), "tell nobody");
    let tampered: [fn(&mut Flow); 3] = [
        |flow| flow.nonce = "another".to_owned(),
        |flow| flow.verifier = "a".repeat(43),
        |flow| flow.issuer = "https://another.example".to_owned(),
    ];
    for tamper in tampered {
        let (mut flow, code) = sign_in(&providers, "ada@example.org").await;
        tamper(&mut flow);
        let refused = providers.finish(&flow, &code, REDIRECT).await;
        assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{refused:?}");
    }
    let (flow, _) = sign_in(&providers, "ada@example.org").await;
    for code in ["", "made-up", &"a".repeat(10_000)] {
        let refused = providers.finish(&flow, code, REDIRECT).await;
        assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_provider_refuses_a_wrong_client_secret() {
    let engine = engine();
    let providers = providers(engine.issuer(), "something else");
    let (flow, code) = sign_in(&providers, "ada@example.org").await;
    let refused = providers.finish(&flow, &code, REDIRECT).await;
    assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn sign_ins_work_again_after_a_provider_was_down() {
    let mut engine = engine();
    let providers = providers(engine.issuer(), "tell nobody");
    engine.stop();
    let down = providers.begin("work", REDIRECT).await.err().unwrap();
    assert!(matches!(down, ProviderFailed::Unavailable(_)), "{down:?}");
    engine.begin().unwrap();
    let is_back = async {
        while providers.begin("work", REDIRECT).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), is_back).await.unwrap();
    assert!(!providers.has("home") && providers.begin("home", REDIRECT).await.is_err());
}

/// Starts a provider whose responses come from a function of its issuer URL and the path. Returns the issuer
/// URL.
async fn scripted(respond: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let own = issuer.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let body = respond(&own, head.split(' ').nth(1).unwrap_or_default());
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let response = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    issuer
}

/// Starts a provider that sends the same response to every request.
async fn answering(response: String) -> String {
    scripted(move |_, _| response.clone()).await
}

/// Discovery document of a provider.
fn document(issuer: &str) -> String {
    format!(
        "{{\"issuer\":\"{issuer}\",\"authorization_endpoint\":\"{issuer}/a\",\"token_endpoint\":\"{issuer}/t\",\
         \"jwks_uri\":\"{issuer}/k\",\"response_types_supported\":[\"code\"],\
         \"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_supported\":[\"EdDSA\"]}}"
    )
}

/// Kind of ID token: a valid one, or one with a specific fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Good,
    OfAnotherKey,
    WithoutSignature,
    HmacWithTheSecret,
    HmacWithThePublicKey,
    ForAnotherClient,
    OfAnotherIssuer,
    Expired,
    OfAnotherSignIn,
    ChangedAfterwards,
    VerifiedAsText,
    UnverifiedAsText,
}

fn id_token(kind: Token, issuer: &str, nonce: &str, keys: &[EncodingKey; 2], public: &[u8]) -> String {
    let now = RealTime::default().now().as_second();
    let is = |this: Token| kind == this;
    let claims = json!({
        "iss": if is(Token::OfAnotherIssuer) { "https://another.example" } else { issuer },
        "aud": if is(Token::ForAnotherClient) { "somebody" } else { "souk" },
        "sub": "ada",
        "email": "ada@example.org",
        "email_verified": match kind {
            Token::VerifiedAsText => json!("true"),
            Token::UnverifiedAsText => json!("false"),
            _ => json!(true),
        },
        "nonce": if is(Token::OfAnotherSignIn) { "another" } else { nonce },
        "iat": now - 4_000,
        "exp": if is(Token::Expired) { now - 3_600 } else { now + 600 },
    });
    let signed = |algorithm, key: &EncodingKey| {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &claims, key).unwrap()
    };
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    match kind {
        Token::OfAnotherKey => signed(Algorithm::EdDSA, &keys[1]),
        Token::WithoutSignature => format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims)),
        Token::HmacWithTheSecret => signed(Algorithm::HS256, &EncodingKey::from_secret(b"tell nobody")),
        Token::HmacWithThePublicKey => signed(Algorithm::HS256, &EncodingKey::from_secret(public)),
        Token::ChangedAfterwards => {
            let good = signed(Algorithm::EdDSA, &keys[0]);
            let mut other = claims.clone();
            other["sub"] = json!("bob");
            let parts: Vec<&str> = good.split('.').collect();
            format!("{}.{}.{}", parts[0], part(&other), parts[2])
        }
        _ => signed(Algorithm::EdDSA, &keys[0]),
    }
}

/// Signs in by a provider that sends an ID token of this kind. Returns two results: one at once, and one
/// after `later_s` seconds, when the provider has replaced its first signing key by its second.
async fn signed_in_by(kind: Token, later_s: i64) -> [Result<Identity, ProviderFailed>; 2] {
    let pairs =
        [KeyPair::generate_for(&PKCS_ED25519).unwrap(), KeyPair::generate_for(&PKCS_ED25519).unwrap()];
    let published = pairs.each_ref().map(|pair| pair.public_key_raw().to_vec());
    let has_changed = Arc::new(AtomicBool::new(false));
    let changes = Arc::clone(&has_changed);
    let keys = pairs.map(|pair| EncodingKey::from_ed_der(&pair.serialize_der()));
    let nonce = Arc::new(std::sync::Mutex::new(String::new()));
    let nonce_of_flow = Arc::clone(&nonce);
    let issuer = scripted(move |issuer, path| match path {
        "/k" => {
            let x = BASE64_URL_SAFE_NO_PAD.encode(&published[usize::from(changes.load(Ordering::Relaxed))]);
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "one", "x": x}]})
                .to_string()
        }
        "/t" => {
            let token = id_token(kind, issuer, &nonce_of_flow.lock().unwrap(), &keys, &published[0]);
            json!({"access_token": "a", "token_type": "Bearer", "id_token": token}).to_string()
        }
        _ => document(issuer),
    });
    let clock = Arc::new(RealTime::default());
    let providers = providers_at(&issuer.await, "tell nobody", &clock);
    let FlowStart { issuer, sends_issuer, state, nonce: own, verifier, .. } =
        providers.begin("work", REDIRECT).await.unwrap();
    nonce.lock().unwrap().clone_from(&own);
    let provider = "work".to_owned();
    let flow = Flow {
        provider,
        issuer,
        sends_issuer,
        state,
        nonce: own,
        verifier,
        return_to: None,
        user: None,
        session: None,
        begun_at: noon(),
    };
    let at_once = providers.finish(&flow, "a code", REDIRECT).await;
    has_changed.store(true, Ordering::Relaxed);
    clock.0.store(later_s, Ordering::Relaxed);
    [at_once, providers.finish(&flow, "a code", REDIRECT).await]
}

#[tokio::test]
async fn an_invalid_id_token_is_refused() {
    assert_eq!(signed_in_by(Token::Good, 0).await[0].as_ref().unwrap().subject, "ada");
    for kind in [
        Token::OfAnotherKey,
        Token::WithoutSignature,
        Token::HmacWithTheSecret,
        Token::HmacWithThePublicKey,
        Token::ForAnotherClient,
        Token::OfAnotherIssuer,
        Token::Expired,
        Token::OfAnotherSignIn,
        Token::ChangedAfterwards,
    ] {
        let [refused, _] = signed_in_by(kind, 0).await;
        assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{kind:?}: {refused:?}");
    }
}

#[tokio::test]
async fn email_verified_may_be_a_boolean_or_a_string() {
    let ada = Email::parse("ada@example.org").ok();
    for (kind, email) in
        [(Token::Good, ada.clone()), (Token::VerifiedAsText, ada), (Token::UnverifiedAsText, None)]
    {
        let [identity, _] = signed_in_by(kind, 0).await;
        assert_eq!(identity.unwrap().verified_email, email, "{kind:?}");
    }
}

#[tokio::test]
async fn changed_signing_keys_are_read_again_at_most_every_30_seconds() {
    let [at_once, moments_later] = signed_in_by(Token::OfAnotherKey, 1).await;
    assert!(at_once.is_err() && moments_later.is_err(), "the keys were read less than 30 seconds ago");
    let [at_once, later] = signed_in_by(Token::OfAnotherKey, RELOAD_AFTER.as_secs()).await;
    assert!(at_once.is_err());
    assert_eq!(later.unwrap().subject, "ada");
}

#[tokio::test]
async fn an_issuer_with_an_https_url_is_never_asked_without_tls() {
    let there = answering("{}".to_owned()).await;
    let request = || HttpRequest::new(Vec::new());
    let send = |exchange: Exchange, uri: String| async move {
        let mut request = request();
        *request.uri_mut() = uri.parse().unwrap();
        AsyncHttpClient::call(&exchange, request).await
    };
    assert!(send(Exchange::new(false).unwrap(), there.clone()).await.is_ok());
    let refused = send(Exchange::new(true).unwrap(), there).await.err().unwrap().to_string();
    assert!(refused.contains("not reached over TLS"), "{refused}");
}

#[tokio::test]
async fn begin_tells_whether_the_provider_adds_its_issuer_to_redirects() {
    for (announced, sends_issuer) in [("true", true), ("false", false), ("null", false)] {
        let field = format!(",\"authorization_response_iss_parameter_supported\":{announced}}}");
        let issuer = scripted(move |issuer, path| match path {
            "/k" => "{\"keys\":[]}".to_owned(),
            _ => format!("{}{field}", document(issuer).strip_suffix('}').unwrap()),
        });
        let begun = providers(&issuer.await, "tell nobody").begin("work", REDIRECT).await.unwrap();
        assert_eq!(begun.sends_issuer, sends_issuer, "{announced}");
    }
}

#[tokio::test]
async fn an_invalid_discovery_document_is_refused() {
    for document in [
        document("https://accounts.example"),
        "<html>".to_owned(),
        "{}".to_owned(),
        format!("{{\"issuer\":\"{}\"}}", "x".repeat(300 * 1024)),
    ] {
        let issuer = answering(document).await;
        let refused = providers(&issuer, "tell nobody").begin("work", REDIRECT).await.err().unwrap();
        assert!(matches!(refused, ProviderFailed::Unavailable(_)), "{refused:?}");
    }
}
