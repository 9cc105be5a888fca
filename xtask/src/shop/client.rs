//! The HTTP side: one keep-alive client, the headers every call carries, retries, and the highest position
//! any answer named.
//!
//! A call that is answered 503, or whose connection breaks, is sent again when that is safe: a read, or a
//! write with an idempotency key. Retries are bounded; the last answer is then the answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::Value;

use super::metrics;

#[cfg(test)]
mod tests;

/// How often a call is sent again.
const RETRIES_MAX: u32 = 60;
/// Milliseconds before it is sent again.
const RETRY_DELAY_MS: u64 = 250;
/// Seconds one call may take: over the 30 that the longest wait of the API takes.
const CALL_SECONDS_MAX: u64 = 60;
/// The time that a connection is kept which nobody uses: shorter than the shop keeps it, so that no request is
/// sent into one that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Connections kept open.
const IDLE_CONNECTIONS_MAX: usize = 256;

/// One request.
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
    /// Somebody's own token.
    bearer: Option<&'a str>,
    /// A webhook's.
    signature: Option<String>,
}

impl<'a> Call<'a> {
    /// A webhook of the payment provider; its event's id makes it harmless to repeat.
    pub(crate) fn webhook(body: String, signature: String) -> Self {
        let call = Self::new(Method::POST, "/api/payments/webhook", Some(body));
        Self { anonymous: true, signature: Some(signature), ..call }
    }

    /// `GET path`.
    pub(crate) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// `POST path` with a JSON body.
    pub(crate) fn post(path: &'a str, body: &Value) -> Self {
        Self::new(Method::POST, path, Some(body.to_string()))
    }

    /// `POST path` with one JSON document a line.
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

    /// Sends `Idempotency-Key`.
    pub(crate) fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Sends `Prefer: wait=`.
    pub(crate) fn wait_s(self, seconds: u32) -> Self {
        Self { wait_s: Some(seconds), ..self }
    }

    /// Sends `X-Min-Position`.
    pub(crate) fn min_position(self, position: u64) -> Self {
        Self { min_position: Some(position), ..self }
    }

    /// As somebody who is signed in.
    pub(crate) fn bearer(self, token: &'a str) -> Self {
        Self { bearer: Some(token), ..self }
    }

    /// `DELETE path` with a JSON body.
    pub(crate) fn delete(path: &'a str, body: &Value) -> Self {
        Self::new(Method::DELETE, path, Some(body.to_string()))
    }

    /// As a guest: without the token, with the cart's when there is one.
    pub(crate) fn guest(self, cart_token: Option<&'a str>) -> Self {
        Self { anonymous: true, cart_token, ..self }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The JSON document; null for an empty body.
    pub(crate) body: Value,
    /// `X-Cart-Token`.
    pub(crate) cart_token: Option<String>,
}

impl Answer {
    /// The answer, when it is a success; else an error that shows what was answered.
    pub(crate) fn success(self, what: &str) -> Result<Self> {
        ensure!((200..300).contains(&self.status), "{what}: {} {}", self.status, self.body);
        Ok(self)
    }

    /// A text of the body.
    pub(crate) fn text(&self, pointer: &str) -> Result<&str> {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.with_context(|| format!("no text at {pointer} in {}", self.body))
    }
}

/// Speaks to one shop.
pub(crate) struct ShopClient {
    http: reqwest::Client,
    base: String,
    token: String,
    highest_position: AtomicU64,
    retries: AtomicU64,
}

impl ShopClient {
    /// A client of the shop at `base` with this bearer token.
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

    /// The highest `X-Position` of any answer so far.
    pub(crate) fn highest_position(&self) -> u64 {
        self.highest_position.load(Ordering::Relaxed)
    }

    /// How many calls were sent again.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Sends a call, and sends it again while that helps and is safe.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer> {
        let may_repeat = call.method == Method::GET || call.key.is_some() || call.signature.is_some();
        let mut attempt = 0;
        loop {
            let outcome = self.send_once(&call).await;
            let is_refused_for_now = outcome.as_ref().map_or(true, |answer| answer.status == 503);
            if !is_refused_for_now || !may_repeat || attempt == RETRIES_MAX {
                return outcome.with_context(|| format!("{} {}", call.method, call.path));
            }
            attempt += 1;
            self.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(RETRY_DELAY_MS)).await;
        }
    }

    async fn send_once(&self, call: &Call<'_>) -> Result<Answer> {
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
        self.answer(request.send().await?).await
    }

    async fn answer(&self, response: reqwest::Response) -> Result<Answer> {
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
        Ok(Answer { status, body, cart_token })
    }

    /// Whether `/health/ready` says yes.
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.send_once(&Call { anonymous: true, ..Call::get("/health/ready") }).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// A counter of `/metrics`, summed over the labels that hold `label`.
    pub(crate) async fn counter(&self, name: &str, label: &str) -> Result<f64> {
        let answer = self.send(Call::get("/metrics")).await?.success("/metrics")?;
        let Value::String(text) = &answer.body else { bail!("/metrics answers no text") };
        metrics::counter(text, name, label).with_context(|| format!("/metrics has no {name}{{{label}}}"))
    }

    /// The position of the log's head.
    pub(crate) async fn head(&self) -> Result<u64> {
        let answer = self.send(Call::get("/api/admin/projections")).await?.success("projections")?;
        answer.text("/head")?.parse().context("the head is no position")
    }

    /// Every item of a list, page by page, as of `position` or later.
    pub(crate) async fn list(&self, path: &str, position: u64) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = format!("{path}?limit=100{from}");
            let call = Call::get(&page).min_position(position).wait_s(30);
            let mut answer = self.send(call).await?.success(path)?;
            let Value::Array(found) = answer.body["items"].take() else { bail!("{path} has no items") };
            items.extend(found);
            match answer.body["nextCursor"].take() {
                Value::String(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                Value::Null => return Ok(items),
                other => bail!("{path}: the next cursor is {other}"),
            }
        }
    }
}
