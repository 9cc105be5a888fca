//! HTTP client for requests to other processes, with TLS and a connect timeout.
//!
//! The client sends each request exactly as given. It follows no redirects, normalizes no paths and stores no
//! cookies.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

pub use hyper_util::client::legacy::Error;

/// Longest time for opening a connection.
pub const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Time for which an unused connection stays open. The pool closes connections at intervals, so a connection
/// may stay open twice as long. That is still shorter than the shop keeps an idle connection
/// (`souk_gateway::server::HEAD_MAX`), so no request is sent on a connection that the shop is closing. After
/// a flood of requests, both sides have closed the extra connections within five seconds.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Largest number of unused connections to one process. Each uses about 30 KiB of memory on both sides.
const IDLE_CONNECTIONS_MAX: usize = 32;
/// Size of a connection's buffer, in bytes. It limits the head of a response, and each piece of a body.
pub const BUFFER_BYTES_MAX: usize = 32 * 1024;

/// HTTP client for requests with bodies of type `B`.
pub type HttpClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Creates a client. If `needs_tls` is true, it verifies certificates with the system's certificate
/// authorities, and returns an error if the system has none. Otherwise it accepts no certificate, so only
/// plain HTTP works.
pub fn client<B>(needs_tls: bool) -> io::Result<HttpClient<B>>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_MAX));
    // Each request is written in one piece, so waiting for more data would only delay it.
    connector.set_nodelay(true);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = if needs_tls {
        HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(io::Error::other)?
    } else {
        let no_authorities = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(no_authorities)
    };
    let connector = tls.https_or_http().enable_http1().wrap_connector(connector);
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
    builder.pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
    builder.http1_max_buf_size(BUFFER_BYTES_MAX);
    Ok(builder.build(connector))
}

/// Returns the text of an error followed by the texts of its causes.
pub fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
