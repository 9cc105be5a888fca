//! Minimal browser for sign-ins in tests. It loads pages of this machine, keeps cookies and sends forms.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Maximum number of pages in a sign-in.
const PAGES_MAX: usize = 20;
/// Timeout of a page.
const PAGE_MAX: Duration = Duration::from_secs(20);

/// Browser with its cookies.
#[derive(Default)]
pub struct Browser {
    /// Values of cookies by host and name. The browser ignores the path of a cookie.
    cookies: BTreeMap<(String, String), String>,
}

/// Response with its status, redirect and body.
#[derive(Debug)]
pub struct Page {
    /// HTTP status code.
    pub status: u16,
    /// Value of the `Location` header.
    pub location: Option<String>,
    /// Text of the response body.
    pub body: String,
}

impl Browser {
    /// Loads a URL, without following redirects.
    pub fn get(&mut self, url: &str) -> Result<Page> {
        self.send("GET", url, None)
    }

    fn cookies_of(&self, host: &str) -> Vec<String> {
        let of_host = self.cookies.iter().filter(|((cookie_host, _), _)| cookie_host == host);
        of_host.map(|((_, name), value)| format!("{name}={value}")).collect()
    }

    /// Signs in at an identity provider as `login`, starting at `url`, and consents. Follows redirects until
    /// one leads to a URL that starts with `until`, and returns this URL.
    pub fn sign_in(&mut self, url: &str, login: &str, until: &str) -> Result<String> {
        let mut url = url.to_owned();
        let mut page = self.get(&url)?;
        for _ in 0..PAGES_MAX {
            if let Some(location) = &page.location {
                url = absolute(&url, location)?;
                if url.starts_with(until) {
                    return Ok(url);
                }
                page = self.get(&url)?;
                continue;
            }
            let action = between(&page.body, "action=\"", "\"").map(|action| absolute(&url, action));
            let prompt = between(&page.body, "name=\"prompt\" value=\"", "\"").map(str::to_owned);
            let (Some(action), Some(prompt)) = (action, prompt) else {
                bail!("{url} has status {} and no form: {}", page.status, page.body);
            };
            url = action?;
            let fields: &[(&str, &str)] = match prompt.as_str() {
                "login" => &[("prompt", "login"), ("login", login), ("password", "x")],
                _ => &[("prompt", "consent")],
            };
            let form: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            page = self.send("POST", &url, Some(&form.join("&")))?;
        }
        bail!("the sign-in did not end after {PAGES_MAX} pages")
    }

    fn send(&mut self, method: &str, url: &str, form: Option<&str>) -> Result<Page> {
        let (host, path) = split(url)?;
        let cookies = self.cookies_of(host).join("; ");
        // With HTTP/1.0, a response ends when the server closes the connection.
        let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\n");
        if !cookies.is_empty() {
            write!(request, "Cookie: {cookies}\r\n")?;
        }
        if let Some(form) = form {
            let length = form.len();
            write!(
                request,
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
            )?;
        }
        write!(request, "\r\n{}", form.unwrap_or_default())?;
        let mut stream = TcpStream::connect(host).with_context(|| format!("can't connect to {host}"))?;
        stream.set_read_timeout(Some(PAGE_MAX))?;
        stream.write_all(request.as_bytes())?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        let response = String::from_utf8_lossy(&response).into_owned();
        let (head, body) = response.split_once("\r\n\r\n").context("the response has no head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut location = None;
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(": ") else { continue };
            match name.to_lowercase().as_str() {
                "location" => location = Some(value.to_owned()),
                "set-cookie" => self.store_cookie(host, value),
                _ => {}
            }
        }
        Ok(Page { status: status.context("the response has no status")?, location, body: body.to_owned() })
    }

    /// Stores a cookie. An empty value removes the cookie.
    fn store_cookie(&mut self, host: &str, cookie: &str) {
        let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let key = (host.to_owned(), name.to_owned());
        if value.is_empty() {
            self.cookies.remove(&key);
        } else {
            self.cookies.insert(key, value.to_owned());
        }
    }
}

/// Splits a URL into the host with its port, and the path.
fn split(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} does not start with http://"))?;
    let at = rest.find('/').unwrap_or(rest.len());
    let path = if at == rest.len() { "/" } else { &rest[at..] };
    Ok((&rest[..at], path.split('#').next().unwrap_or_default()))
}

fn absolute(base: &str, location: &str) -> Result<String> {
    if location.starts_with("http://") {
        return Ok(location.to_owned());
    }
    Ok(format!("http://{}{location}", split(base)?.0))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.split(after).next()
}

/// Encodes a value for a form.
fn encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            // Writing to a string can't fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}
