//! Requests to the test shop.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::Value;

/// A request to the shop.
#[derive(Clone)]
pub struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    headers: BTreeMap<&'static str, String>,
    body: Vec<u8>,
    address: Option<IpAddr>,
}

impl Call {
    /// Makes a request with any method.
    pub fn new(method: &'static str, path: &str, body: Vec<u8>) -> Self {
        let headers = BTreeMap::from([("x-api-version", "v1".to_owned())]);
        Self { method, path: path.to_owned(), headers, body, address: None }
            .header("content-type", "application/json")
    }

    /// Makes a `POST` request with a JSON body.
    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path, body.to_string().into_bytes())
    }

    /// Makes a `POST` request with any bytes as its body.
    pub fn post_raw(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path, body.into())
    }

    /// Makes a `PUT` request with a JSON body.
    pub fn put(path: &str, body: &Value) -> Self {
        Self::new("PUT", path, body.to_string().into_bytes())
    }

    /// Makes a `GET` request.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path, Vec::new())
    }

    /// Makes a `HEAD` request.
    pub fn head(path: &str) -> Self {
        Self::new("HEAD", path, Vec::new())
    }

    /// Makes a `DELETE` request.
    pub fn delete(path: &str) -> Self {
        Self::new("DELETE", path, Vec::new())
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..self }
    }

    /// Sets a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    /// Removes a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sets the client address.
    pub fn from(self, address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), ..self }
    }

    /// Sets the idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sets a guest's cart token.
    pub fn cart(self, token: &str) -> Self {
        self.header("x-cart-token", token)
    }

    /// Sets the access token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Makes the request that the router receives.
    pub(crate) fn into_request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::from(self.body)).unwrap();
        if let Some(address) = self.address {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 40_000)));
        }
        request
    }
}
