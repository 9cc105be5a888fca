//! HTTP client of a shop: keep-alive connections, common headers, retries, and the highest position in any
//! response.
//!
//! A call is retried if the response is a 503 or the connection breaks, and if a retry is safe: for a read, a
//! write with an idempotency key, or a signed webhook. After the last retry, the last response or error is
//! returned.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::Value;

use super::metrics;

#[cfg(test)]
mod tests;

/// Largest number of retries of one call.
const RETRIES_MAX: u32 = 60;
/// Milliseconds before a retry.
const RETRY_DELAY_MS: u64 = 250;
/// Timeout of one call in seconds: longer than the 30 seconds that the API may wait.
const CALL_SECONDS_MAX: u64 = 60;
/// Longest time that an idle connection is kept. It is shorter than that of the shop, so that no request uses
/// a connection that the shop is closing.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Largest number of idle connections.
const IDLE_CONNECTIONS_MAX: usize = 256;

/// A request to the shop.
pub(crate) struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Option<String>,
    content_type: &'static str,
    key: Option<String>,
    wait_s: Option<u32>,
    min_position: Option<u64>,
    cart_token: Option<&'a str>,
    anonymous: bool,
    /// Access token that replaces the token of the client.
    bearer: Option<&'a str>,
    /// Signature of a webhook.
    signature: Option<String>,
}

impl<'a> Call<'a> {
    /// A webhook of the payment provider. It may be retried, because its event has an id.
    pub(crate) fn webhook(body: String, signature: String) -> Self {
        let call = Self::new(Method::POST, "/api/payments/webhook", Some(body));
        Self { anonymous: true, signature: Some(signature), ..call }
    }

    /// A `GET` request.
    pub(crate) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// A `POST` request with a JSON body.
    pub(crate) fn post(path: &'a str, body: &Value) -> Self {
        Self::new(Method::POST, path, Some(body.to_string()))
    }

    /// A `POST` request with one JSON document per line.
    pub(crate) fn post_lines(path: &'a str, lines: String) -> Self {
        Self { content_type: "application/x-ndjson", ..Self::new(Method::POST, path, Some(lines)) }
    }

    fn new(method: Method, path: &'a str, body: Option<String>) -> Self {
        Self {
            method,
            path,
            body,
            content_type: "application/json",
            key: None,
            wait_s: None,
            min_position: None,
            cart_token: None,
            anonymous: false,
            bearer: None,
            signature: None,
        }
    }

    /// Adds the header `Idempotency-Key`.
    pub(crate) fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Adds the header `Prefer: wait=`.
    pub(crate) fn wait_s(self, seconds: u32) -> Self {
        Self { wait_s: Some(seconds), ..self }
    }

    /// Adds the header `X-Min-Position`.
    pub(crate) fn min_position(self, position: u64) -> Self {
        Self { min_position: Some(position), ..self }
    }

    /// Sends the access token of a signed-in customer.
    pub(crate) fn bearer(self, token: &'a str) -> Self {
        Self { bearer: Some(token), ..self }
    }

    /// A `DELETE` request with a JSON body.
    pub(crate) fn delete(path: &'a str, body: &Value) -> Self {
        Self::new(Method::DELETE, path, Some(body.to_string()))
    }

    /// Sends no access token, and the cart token if there is one.
    pub(crate) fn guest(self, cart_token: Option<&'a str>) -> Self {
        Self { anonymous: true, cart_token, ..self }
    }
}

/// A response of the shop.
#[derive(Debug)]
pub(crate) struct Response {
    /// HTTP status code.
    pub(crate) status: u16,
    /// JSON document of the body; null if the body is empty.
    pub(crate) body: Value,
    /// Value of the header `X-Cart-Token`.
    pub(crate) cart_token: Option<String>,
}

impl Response {
    /// Returns the response if it is a success, otherwise an error that shows it.
    pub(crate) fn success(self, what: &str) -> Result<Self> {
        ensure!((200..300).contains(&self.status), "{what}: {} {}", self.status, self.body);
        Ok(self)
    }

    /// Returns a text of the body.
    pub(crate) fn text(&self, pointer: &str) -> Result<&str> {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.with_context(|| format!("no text at {pointer} in {}", self.body))
    }
}

/// Client of one shop.
pub(crate) struct ShopClient {
    http: reqwest::Client,
    base: String,
    token: String,
    highest_position: AtomicU64,
    retries: AtomicU64,
}

impl ShopClient {
    /// Creates a client of the shop at the URL `base`, with an access token.
    pub(crate) fn new(base: &str, token: String) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .timeout(Duration::from_secs(CALL_SECONDS_MAX))
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_MAX)
            .build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, token, highest_position: AtomicU64::new(0), retries: AtomicU64::new(0) })
    }

    /// Returns the highest `X-Position` of all responses so far.
    pub(crate) fn highest_position(&self) -> u64 {
        self.highest_position.load(Ordering::Relaxed)
    }

    /// Returns the number of retries so far.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Sends a call, with retries if they are safe.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Response> {
        let may_repeat = call.method == Method::GET || call.key.is_some() || call.signature.is_some();
        let mut attempt = 0;
        loop {
            let outcome = self.send_once(&call).await;
            let is_temporary_failure = outcome.as_ref().map_or(true, |response| response.status == 503);
            if !is_temporary_failure || !may_repeat || attempt == RETRIES_MAX {
                return outcome.with_context(|| format!("{} {}", call.method, call.path));
            }
            attempt += 1;
            self.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(RETRY_DELAY_MS)).await;
        }
    }

    async fn send_once(&self, call: &Call<'_>) -> Result<Response> {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.base, call.path));
        request = request.header("X-API-Version", "v1");
        if !call.anonymous {
            request = request.bearer_auth(call.bearer.unwrap_or(&self.token));
        }
        if let Some(token) = call.cart_token {
            request = request.header("X-Cart-Token", token);
        }
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(signature) = &call.signature {
            request = request.header("X-Razorpay-Signature", signature);
        }
        if let Some(seconds) = call.wait_s {
            request = request.header("Prefer", format!("wait={seconds}"));
        }
        if let Some(position) = call.min_position {
            request = request.header("X-Min-Position", position);
        }
        if let Some(body) = &call.body {
            request = request.header("Content-Type", call.content_type).body(body.clone());
        }
        self.read_response(request.send().await?).await
    }

    async fn read_response(&self, response: reqwest::Response) -> Result<Response> {
        let status = response.status().as_u16();
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Some(position) = header("X-Position") {
            let position = position.parse().with_context(|| format!("X-Position is `{position}`"))?;
            self.highest_position.fetch_max(position, Ordering::Relaxed);
        }
        let cart_token = header("X-Cart-Token");
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(Response { status, body, cart_token })
    }

    /// Returns true if `/health/ready` reports that the shop is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let response = self.send_once(&Call { anonymous: true, ..Call::get("/health/ready") }).await;
        response.is_ok_and(|response| response.status == 200)
    }

    /// Returns a counter of `/metrics`, summed over all label sets that contain `label`.
    pub(crate) async fn counter(&self, name: &str, label: &str) -> Result<f64> {
        let response = self.send(Call::get("/metrics")).await?.success("/metrics")?;
        let Value::String(text) = &response.body else { bail!("/metrics is not a text") };
        metrics::counter(text, name, label).with_context(|| format!("/metrics has no {name}{{{label}}}"))
    }

    /// Returns the position of the newest event in the log.
    pub(crate) async fn head(&self) -> Result<u64> {
        let response = self.send(Call::get("/api/admin/projections")).await?.success("projections")?;
        response.text("/head")?.parse().context("the head is not a position")
    }

    /// Reads all items of a list, page by page, from read models that have reached `position`.
    pub(crate) async fn list(&self, path: &str, position: u64) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = format!("{path}?limit=100{from}");
            let call = Call::get(&page).min_position(position).wait_s(30);
            let mut response = self.send(call).await?.success(path)?;
            let Value::Array(found) = response.body["items"].take() else { bail!("{path} has no items") };
            items.extend(found);
            match response.body["nextCursor"].take() {
                Value::String(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                Value::Null => return Ok(items),
                other => bail!("{path}: the next cursor is {other}"),
            }
        }
    }
}
