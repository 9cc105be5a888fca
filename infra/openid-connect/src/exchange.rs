//! Asking a provider: how long, and how much of an answer.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use souk_http_client::{HttpClient, client, described};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAnswer(String);

/// Asks. Where the issuer is reached over TLS, so is everything it names.
pub(super) struct Exchange {
    client: HttpClient<Full<Bytes>>,
    is_tls_only: bool,
}

impl Exchange {
    pub(super) fn new(is_tls_only: bool) -> io::Result<Self> {
        Ok(Self { client: client(is_tls_only)?, is_tls_only })
    }

    /// Sends one request. What an answer redirects to is not followed.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        if self.is_tls_only && request.uri().scheme_str() != Some("https") {
            return Err(NoAnswer(format!("{} is not reached over TLS", request.uri())));
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let answered = async {
            let answer = self.client.request(request).await.map_err(|error| NoAnswer(described(&error)))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| NoAnswer(error.to_string()))?.to_bytes();
            Ok(HttpResponse::from_parts(parts, body.to_vec()))
        };
        let in_time = tokio::time::timeout(ANSWER_MAX, answered).await;
        in_time.unwrap_or_else(|_| Err(NoAnswer("no answer came in time".to_owned())))
    }
}

impl<'c> AsyncHttpClient<'c> for Exchange {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
