//! HTTP requests to an identity provider, with a timeout and a limit for the size of the response.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use souk_http_client::{HttpClient, client, with_causes};

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of the size of a response, in bytes.
const RESPONSE_BYTES_MAX: usize = 256 * 1024;

/// Reason why a request failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RequestFailed(String);

/// HTTP client for one provider. If the issuer has an `https` URL, requests to any other scheme are refused.
pub(super) struct Exchange {
    client: HttpClient<Full<Bytes>>,
    is_tls_only: bool,
}

impl Exchange {
    pub(super) fn new(is_tls_only: bool) -> io::Result<Self> {
        Ok(Self { client: client(is_tls_only)?, is_tls_only })
    }

    /// Sends one request. Redirects are not followed.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, RequestFailed> {
        if self.is_tls_only && request.uri().scheme_str() != Some("https") {
            return Err(RequestFailed(format!("{} is not reached over TLS", request.uri())));
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let exchange = async {
            let response =
                self.client.request(request).await.map_err(|error| RequestFailed(with_causes(&error)))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
            let body = body.map_err(|error| RequestFailed(error.to_string()))?.to_bytes();
            Ok(HttpResponse::from_parts(parts, body.to_vec()))
        };
        let in_time = tokio::time::timeout(REQUEST_TIMEOUT, exchange).await;
        in_time.unwrap_or_else(|_| Err(RequestFailed("the request timed out".to_owned())))
    }
}

impl<'c> AsyncHttpClient<'c> for Exchange {
    type Error = RequestFailed;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, RequestFailed>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
