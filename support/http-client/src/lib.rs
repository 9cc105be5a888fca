//! Requests to other processes: one client for all that this program asks, with TLS and limits of time.
//!
//! It sends what it is given: no redirects are followed, no paths resolved, no cookies kept.

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

/// How long a connection may take.
pub const CONNECT_MAX: Duration = Duration::from_secs(2);
/// The time for which an unused connection is kept. The pool looks every so often and may keep it twice as long: that
/// is still shorter than a shop keeps it (`souk_gateway::server::HEAD_MAX`), so that no request is sent into one that
/// is just being closed. After a flood both sides are rid of its connections within five seconds.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Connections to one process that are kept while nobody uses them. Each has some 30 KiB here and there.
const IDLE_CONNECTIONS_MAX: usize = 32;
/// The most that a connection reads or writes at once, in bytes: the head of an answer, or a piece of its body.
pub const BUFFER_BYTES_MAX: usize = 32 * 1024;

/// A client for requests with bodies of a kind.
pub type HttpClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Makes one. Where TLS is needed, certificates are judged as the system does, which has to know some; without
/// it no certificate is believed.
pub fn client<B>(needs_tls: bool) -> io::Result<HttpClient<B>>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_MAX));
    // Requests are written whole: waiting for more to send would only delay them.
    connector.set_nodelay(true);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = if needs_tls {
        HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(io::Error::other)?
    } else {
        let nobody = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(nobody)
    };
    let connector = tls.https_or_http().enable_http1().wrap_connector(connector);
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
    builder.pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
    builder.http1_max_buf_size(BUFFER_BYTES_MAX);
    Ok(builder.build(connector))
}

/// An error and what is behind it.
pub fn described(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
