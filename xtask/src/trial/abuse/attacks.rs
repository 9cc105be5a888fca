//! Attacks that occupy resources. Each attack is one task with one client address, and runs until it is
//! stopped.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::floods::{self, CLASSES};

/// Number of connections per kind of attack, client address and attacked process.
const CONNECTIONS_EACH: usize = 2;
/// Number of client addresses that flood. Floods use CPU time that the buyers need too.
const FLOODING_ADDRESSES: usize = 4;
/// Number of unread streams in one HTTP/2 connection.
const UNREAD_STREAMS: usize = 100;
/// Number of requests with unread responses in one HTTP/1.1 connection.
const UNREAD_REQUESTS: usize = 20;
/// Bytes of a slow body that are sent at once, before the slow part.
const BODY_BYTES_AT_ONCE: usize = 900 * 1024;
/// The same for a webhook, which has a smaller limit.
const SIGNED_BYTES_AT_ONCE: usize = 30 * 1024;
/// Time between two bytes of the slow part of a body.
const BYTE_EVERY: Duration = Duration::from_secs(1);

/// Addresses of the attacked processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) shop: SocketAddr,
    pub(super) gateway: SocketAddr,
}

/// Counts of responses and connections of all attackers.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Flood requests that got a response other than 503.
    pub(super) answered: AtomicU64,
    /// Flood requests that were refused with 503 because a budget was used up.
    pub(super) overloaded: AtomicU64,
    /// Connections that attackers opened again.
    pub(super) reconnects: AtomicU64,
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            formatter,
            "floods: {} requests answered, {} refused with 503; {} connections reopened",
            of(&self.answered),
            of(&self.overloaded),
            of(&self.reconnects)
        )
    }
}

/// Running attackers.
pub(super) struct Attackers {
    tasks: Vec<JoinHandle<()>>,
    tally: Arc<Tally>,
}

impl Attackers {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Attack {
    /// A large body that is sent slowly.
    SlowBody,
    /// A webhook that is sent slowly.
    SlowWebhook,
    /// A small body that is sent slowly. It tries to occupy a place of an upstream.
    HeldPlace,
    /// Responses over HTTP/1.1 that the client does not read.
    UnreadHttp1,
    /// Responses over HTTP/2 that the client does not read.
    UnreadHttp2,
    /// A connection without a request.
    Idle,
    /// An HTTP/2 connection that only answers pings.
    PingOnly,
    /// Requests to every class of route without pauses, from [`FLOODING_ADDRESSES`] addresses.
    Floods,
}

/// Starts these kinds of attack from all addresses, on the shop and on the gateway.
pub(super) fn begin(
    target: Target,
    attacks: &[Attack],
    sources: &[IpAddr],
    enough: &Arc<AtomicBool>,
) -> Attackers {
    let tally = Arc::new(Tally::default());
    let mut tasks = Vec::new();
    for (number, source) in sources.iter().copied().enumerate() {
        for attacked in [target.shop, target.gateway] {
            for attack in attacks.iter().copied().filter(|attack| *attack != Attack::Floods) {
                for _ in 0..CONNECTIONS_EACH {
                    let enough = Arc::clone(enough);
                    let tally = Arc::clone(&tally);
                    tasks.push(tokio::spawn(repeat(attack, source, attacked, enough, tally)));
                }
            }
            let is_flooding = attacks.contains(&Attack::Floods) && number < FLOODING_ADDRESSES;
            for class in CLASSES.into_iter().filter(|_| is_flooding) {
                let enough = Arc::clone(enough);
                let tally = Arc::clone(&tally);
                tasks.push(tokio::spawn(floods::flood(class, source, attacked, enough, tally)));
            }
        }
    }
    Attackers { tasks, tally }
}

/// Ends all attacks and closes their connections.
pub(super) async fn end(attackers: Attackers) -> Arc<Tally> {
    for task in &attackers.tasks {
        task.abort();
    }
    for task in attackers.tasks {
        // The error only says that the task was aborted.
        let _ = task.await;
    }
    attackers.tally
}

/// Opens a connection from a client address.
pub(super) async fn connect(source: IpAddr, target: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    Ok(socket.connect(target).await?)
}

async fn repeat(
    attack: Attack,
    source: IpAddr,
    target: SocketAddr,
    enough: Arc<AtomicBool>,
    tally: Arc<Tally>,
) {
    while !enough.load(Ordering::Relaxed) {
        // An attack ends when the shop closes the connection, and then starts again.
        let _ = once(attack, source, target).await;
        tally.reconnects.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(super::CHECK_EVERY).await;
    }
}

async fn once(attack: Attack, source: IpAddr, target: SocketAddr) -> Result<()> {
    let mut stream = connect(source, target).await?;
    match attack {
        Attack::SlowBody => slow_body(&mut stream, "/api/cart/items", BODY_BYTES_AT_ONCE).await,
        Attack::SlowWebhook => slow_body(&mut stream, "/api/payments/webhook", SIGNED_BYTES_AT_ONCE).await,
        Attack::HeldPlace => slow_body(&mut stream, "/api/cart/items", 1).await,
        Attack::UnreadHttp1 => unread(&mut stream).await,
        Attack::UnreadHttp2 => over_http2(stream, UNREAD_STREAMS).await,
        Attack::PingOnly => over_http2(stream, 0).await,
        // Floods have their own tasks and never get here.
        Attack::Idle | Attack::Floods => until_closed(&mut stream).await,
    }
}

async fn until_closed(stream: &mut TcpStream) -> Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Sends the first part of a body at once and the rest byte by byte, until a response arrives.
async fn slow_body(stream: &mut TcpStream, path: &str, bytes_at_once: usize) -> Result<()> {
    let length = bytes_at_once + 1024;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Version: v1\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&vec![b' '; bytes_at_once]).await?;
    let (mut reader, mut writer) = stream.split();
    let slowly = async {
        loop {
            tokio::time::sleep(BYTE_EVERY).await;
            writer.write_all(b" ").await?;
        }
    };
    let answered = async {
        let mut buffer = [0; 1024];
        reader.read(&mut buffer).await
    };
    tokio::select! {
        ended = slowly => ended,
        answered = answered => answered.map(drop).map_err(Into::into),
    }
}

/// Requests a long response again and again, and reads nothing.
async fn unread(stream: &mut TcpStream) -> Result<()> {
    let request = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(UNREAD_REQUESTS);
    stream.write_all(request.as_bytes()).await?;
    loop {
        // A write fails if the shop has closed the connection. The incomplete head is never a request.
        tokio::time::sleep(BYTE_EVERY).await;
        stream.write_all(b"G").await?;
    }
}

/// Answers pings, and requests this many responses without reading them: each stream has a window of one
/// byte.
async fn over_http2(stream: TcpStream, streams: usize) -> Result<()> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1).initial_connection_window_size(16 * 1024 * 1024);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let unread = async {
        let mut responses = Vec::new();
        for number in 0..streams {
            // The shop computes a list for each request, but not the document.
            let path = if number % 2 == 0 { "/openapi.json" } else { "/api/products?limit=100" };
            let request = Request::get(format!("http://x{path}")).header("x-api-version", "v1");
            sender.ready().await?;
            responses.push(sender.send_request(request.body(Empty::<Bytes>::new())?));
        }
        let answered = futures_util::future::join_all(responses).await;
        std::future::pending::<()>().await;
        drop(answered);
        anyhow::Ok(())
    };
    tokio::select! {
        ended = connection => ended.map_err(Into::into),
        failed = unread => failed,
    }
}
