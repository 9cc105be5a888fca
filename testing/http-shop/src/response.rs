//! Responses of the test shop, and checks of them.

use axum::http::HeaderMap;
use serde_json::Value;

/// A response of the shop.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// JSON body; null if the body is not JSON.
    pub body: Value,
}

impl Response {
    /// Asserts that the response has this status.
    #[track_caller]
    pub fn done(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Asserts that the response is a problem with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self
    }

    /// Asserts that the problem has an error with this pointer and code.
    #[track_caller]
    pub fn at(self, pointer: &str, code: &str) -> Self {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let is_named = errors.iter().any(|error| error["pointer"] == pointer && error["code"] == code);
        assert!(is_named, "no {code} at {pointer}: {}", self.body);
        self
    }

    /// Returns a text field of the body.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    /// Returns the value of a header; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns a text field of each item of a list.
    #[track_caller]
    pub fn items(&self, field: &str) -> Vec<String> {
        fields(self.body["items"].as_array().expect("a list"), field)
    }
}

/// Returns a text field of each item; `?` if an item lacks it.
pub fn fields(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or("?").to_owned()).collect()
}
