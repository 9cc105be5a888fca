//! Floods: requests to one class of route, one directly after the other.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::attacks::{Tally, connect};

/// Requests of floods, as method, path and body: one for each class with a rate limit (sign-in, read, write),
/// and three to routes without a rate limit.
pub(super) const CLASSES: [(&str, &str, &str); 6] = [
    ("POST", "/api/auth/login", r#"{"email":"nobody@example.org","password":"wrong wrong wrong"}"#),
    ("GET", "/api/products", ""),
    CART,
    ("POST", "/api/payments/webhook", r#"{"id":"made up"}"#),
    ("GET", "/health/live", ""),
    ("GET", "/docs", ""),
];

/// Request that creates a guest cart.
const CART: (&str, &str, &str) = ("POST", "/api/cart/items", r#"{"sku":"ABUSE-1","quantity":1}"#);

/// Creates guest carts until at least `count` requests were answered.
pub(super) async fn create_carts(count: u64, source: IpAddr, target: SocketAddr) -> Result<()> {
    let enough = Arc::new(AtomicBool::new(false));
    let tally = Arc::new(Tally::default());
    let flooding = tokio::spawn(flood(CART, source, target, Arc::clone(&enough), Arc::clone(&tally)));
    while tally.answered.load(Ordering::Relaxed) < count && !flooding.is_finished() {
        tokio::time::sleep(super::CHECK_EVERY).await;
    }
    enough.store(true, Ordering::Relaxed);
    Ok(flooding.await?)
}

/// Sends the request of a class again and again, and opens a new connection when the old one ends.
pub(super) async fn flood(
    class: (&'static str, &'static str, &'static str),
    source: IpAddr,
    target: SocketAddr,
    enough: Arc<AtomicBool>,
    tally: Arc<Tally>,
) {
    let (method, path, body) = class;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Version: v1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    while !enough.load(Ordering::Relaxed) {
        // The error only says that the connection ended; the loop opens a new one.
        let _ = over_one_connection(&request, source, target, &enough, &tally).await;
        tally.reconnects.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(super::CHECK_EVERY).await;
    }
}

async fn over_one_connection(
    request: &str,
    source: IpAddr,
    target: SocketAddr,
    enough: &AtomicBool,
    tally: &Tally,
) -> Result<()> {
    let mut stream = connect(source, target).await?;
    let mut buffer = Vec::new();
    while !enough.load(Ordering::Relaxed) {
        stream.write_all(request.as_bytes()).await?;
        let length = loop {
            if let Some(length) = response_length(&buffer)? {
                break length;
            }
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection ended");
        };
        while buffer.len() < length {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection ended");
        }
        let is_overloaded = buffer.starts_with(b"HTTP/1.1 503");
        buffer.drain(..length);
        let count = if is_overloaded { &tally.overloaded } else { &tally.answered };
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Returns the length of the first response in a buffer, in bytes; `None` while its head is incomplete.
fn response_length(buffer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = memchr::memmem::find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize =
        length.map_or(Ok(0), |length| length.trim().parse()).context("Content-Length is not a number")?;
    Ok(Some(head + 4 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_response_is_found_from_its_content_length() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nliveHTTP";
        assert_eq!(response_length(response).unwrap(), Some(response.len() - 4));
        assert_eq!(response_length(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
        assert!(response_length(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }
}
