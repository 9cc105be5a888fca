use openidconnect::{AsyncHttpClient, HttpRequest};
use souk_engines::{Browser, Client as Registered, OpenIdProvider, free_port};
use souk_eventsourcing::testkit::noon;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// Tokens of a real provider hold for the real time.
struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the provider's clock is the machine's")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn new_id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
}

fn providers(issuer: &str, secret: &str) -> OpenIdConnect {
    let text = str::to_owned;
    let (client_id, client_secret) = (text("souk"), text(secret));
    let provider = Provider { name: text("work"), issuer: text(issuer), client_id, client_secret };
    OpenIdConnect::new(vec![provider], Arc::new(Now)).unwrap()
}

fn engine() -> OpenIdProvider {
    let text = str::to_owned;
    let client = Registered { id: text("souk"), secret: text("tell nobody"), redirect_uri: text(REDIRECT) };
    OpenIdProvider::start(free_port().unwrap(), client).unwrap()
}

/// Begins a sign-in and goes through the provider's pages: the flow, and the code that came back.
async fn through(providers: &OpenIdConnect, login: &str) -> (Flow, String) {
    let begun = providers.begin("work", REDIRECT).await.unwrap();
    let url = begun.url.clone();
    let login = login.to_owned();
    let back = tokio::task::spawn_blocking(move || Browser::default().sign_in(&url, &login, REDIRECT));
    let back = back.await.unwrap().unwrap();
    let said = |name: &str| {
        let query = back.split_once('?').unwrap().1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        value.unwrap().to_owned()
    };
    assert_eq!(said("state"), begun.state);
    let Begun { issuer, state, nonce, verifier, .. } = begun;
    let provider = "work".to_owned();
    let flow =
        Flow { provider, issuer, state, nonce, verifier, return_to: None, user: None, begun_at: noon() };
    (flow, said("code"))
}

#[tokio::test]
async fn a_real_provider_says_who_it_is_once() {
    let engine = engine();
    let providers = providers(engine.issuer(), "tell nobody");
    let (flow, code) = through(&providers, "ada@example.org").await;
    let identity = providers.finish(&flow, &code, REDIRECT).await.unwrap();
    assert_eq!(identity.subject, "ada@example.org");
    assert_eq!(identity.verified_email, Some(Email::parse("ada@example.org").unwrap()));
    assert_eq!(identity.name.as_deref(), Some("Name of ada@example.org"));
    let again = providers.finish(&flow, &code, REDIRECT).await;
    assert!(matches!(again, Err(ProviderFailed::Refused(_))), "{again:?}");
    let (flow, code) = through(&providers, "unverified@example.org").await;
    assert_eq!(providers.finish(&flow, &code, REDIRECT).await.unwrap().verified_email, None);
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_not_believed() {
    let engine = engine();
    let providers = providers(engine.issuer(), "tell nobody");
    let tampered: [fn(&mut Flow); 3] = [
        |flow| flow.nonce = "another".to_owned(),
        |flow| flow.verifier = "a".repeat(43),
        |flow| flow.issuer = "https://another.example".to_owned(),
    ];
    for tamper in tampered {
        let (mut flow, code) = through(&providers, "ada@example.org").await;
        tamper(&mut flow);
        let refused = providers.finish(&flow, &code, REDIRECT).await;
        assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{refused:?}");
    }
    let (flow, _) = through(&providers, "ada@example.org").await;
    for code in ["", "made-up", &"a".repeat(10_000)] {
        let refused = providers.finish(&flow, code, REDIRECT).await;
        assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_refused_by_the_provider() {
    let engine = engine();
    let providers = providers(engine.issuer(), "something else");
    let (flow, code) = through(&providers, "ada@example.org").await;
    let refused = providers.finish(&flow, &code, REDIRECT).await;
    assert!(matches!(refused, Err(ProviderFailed::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn a_provider_that_goes_and_comes_back_costs_its_own_sign_ins() {
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

/// Answers every request with the same.
async fn answering(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await;
            let length = answer.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn what_an_issuer_over_tls_names_is_asked_over_tls_alone() {
    let there = answering("{}".to_owned()).await;
    let request = || HttpRequest::new(Vec::new());
    let asked = |exchange: Exchange, uri: String| async move {
        let mut request = request();
        *request.uri_mut() = uri.parse().unwrap();
        AsyncHttpClient::call(&exchange, request).await
    };
    assert!(asked(Exchange::new(false).unwrap(), there.clone()).await.is_ok());
    let refused = asked(Exchange::new(true).unwrap(), there).await.err().unwrap().to_string();
    assert!(refused.contains("not reached over TLS"), "{refused}");
}

#[tokio::test]
async fn a_document_that_lies_is_not_believed() {
    let lie = |issuer: &str| {
        format!(
            "{{\"issuer\":\"{issuer}\",\"authorization_endpoint\":\"{issuer}/a\",\"token_endpoint\":\"{issuer}/t\",\
             \"jwks_uri\":\"{issuer}/k\",\"response_types_supported\":[\"code\"],\
             \"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_supported\":[\"RS256\"]}}"
        )
    };
    for document in [
        lie("https://accounts.example"),
        "<html>".to_owned(),
        "{}".to_owned(),
        format!("{{\"issuer\":\"{}\"}}", "x".repeat(300 * 1024)),
    ] {
        let issuer = answering(document).await;
        let refused = providers(&issuer, "tell nobody").begin("work", REDIRECT).await.err().unwrap();
        assert!(matches!(refused, ProviderFailed::Unavailable(_)), "{refused:?}");
    }
}
