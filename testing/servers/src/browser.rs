//! As much of a browser as it takes to sign in: pages of this machine, cookies, forms.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Pages that a sign-in takes at most.
const PAGES_MAX: usize = 20;
/// How long a page may take.
const PAGE_MAX: Duration = Duration::from_secs(20);

/// A browser with its cookies.
#[derive(Default)]
pub struct Browser {
    /// By host and name. Paths are not looked at.
    cookies: BTreeMap<(String, String), String>,
}

/// What came back.
#[derive(Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// Where it leads.
    pub location: Option<String>,
    /// What it says.
    pub body: String,
}

impl Browser {
    /// Opens an address.
    pub fn get(&mut self, url: &str) -> Result<Page> {
        self.send("GET", url, None)
    }

    fn cookies_of(&self, host: &str) -> Vec<String> {
        let of_host = self.cookies.iter().filter(|((of, _), _)| of == host);
        of_host.map(|((_, name), value)| format!("{name}={value}")).collect()
    }

    /// Goes from an address through the pages of a provider, where it signs in and consents, until one leads to
    /// an address that begins like that: which one.
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
                bail!("{url} answers {} and has no form: {}", page.status, page.body);
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
        bail!("it never ends")
    }

    fn send(&mut self, method: &str, url: &str, form: Option<&str>) -> Result<Page> {
        let (host, path) = split(url)?;
        let cookies = self.cookies_of(host).join("; ");
        // By HTTP/1.0 an answer ends with its connection.
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
        let mut stream = TcpStream::connect(host).with_context(|| format!("{host} is not there"))?;
        stream.set_read_timeout(Some(PAGE_MAX))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut location = None;
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(": ") else { continue };
            match name.to_lowercase().as_str() {
                "location" => location = Some(value.to_owned()),
                "set-cookie" => self.take(host, value),
                _ => {}
            }
        }
        Ok(Page { status: status.context("the answer has no status")?, location, body: body.to_owned() })
    }

    /// A cookie that is set to nothing is gone.
    fn take(&mut self, host: &str, cookie: &str) {
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

/// Host with port, and path.
fn split(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not of this machine"))?;
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

/// As forms have it.
fn encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            // Writing to a text can't fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}
