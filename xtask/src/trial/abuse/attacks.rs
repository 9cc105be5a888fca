//! Attacks that hold resources, each by one task at one address, until it is told to stop.

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

/// Connections of each kind of attack, from each address to each process.
const CONNECTIONS_EACH: usize = 2;
/// Addresses that flood: floods take the machine's time, and so the buyers'.
const FLOODING_ADDRESSES: usize = 4;
/// Streams of an HTTP/2 connection that nobody reads.
const UNREAD_STREAMS: usize = 100;
/// Requests over HTTP/1.1 whose answers nobody reads.
const UNREAD_REQUESTS: usize = 20;
/// Bytes of a slow body that come at once.
const BODY_BYTES_AT_ONCE: usize = 900 * 1024;
/// Bytes of a small slow body: as much as a webhook may have.
const SIGNED_BYTES_AT_ONCE: usize = 30 * 1024;
/// Time between two bytes of a slow body.
const BYTE_EVERY: Duration = Duration::from_secs(1);

/// Processes under attack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) shop: SocketAddr,
    pub(super) gateway: SocketAddr,
}

/// Numbers of what the attackers came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests of floods that were answered.
    pub(super) answered: AtomicU64,
    /// Requests of floods that were refused for want of room.
    pub(super) overloaded: AtomicU64,
    /// Connections that were begun anew.
    pub(super) reconnects: AtomicU64,
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            formatter,
            "floods: {} requests answered, {} refused for want of room; {} connections begun anew",
            of(&self.answered),
            of(&self.overloaded),
            of(&self.reconnects)
        )
    }
}

/// All attackers.
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
    /// A large body that comes slowly.
    SlowBody,
    /// A webhook that comes slowly.
    SlowWebhook,
    /// A body of two bytes, of which one comes: it asks for a place at an upstream.
    HeldPlace,
    /// Answers over HTTP/1.1 that nobody reads.
    UnreadHttp1,
    /// Answers over HTTP/2 that nobody reads.
    UnreadHttp2,
    /// A connection without a request.
    Idle,
    /// An HTTP/2 connection that answers pings alone.
    PingOnly,
    /// Requests of every class of route, as fast as they are answered, from [`FLOODING_ADDRESSES`].
    Floods,
}

/// Begins attacks of these kinds from all addresses, on the shop and on the gateway.
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
        // It was aborted.
        let _ = task.await;
    }
    attackers.tally
}

/// A connection from an address.
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
        // It ends when the other side has had enough, and is begun anew.
        let _ = once(attack, source, target).await;
        tally.reconnects.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(super::LOOK_EVERY).await;
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
        // Floods are begun by themselves.
        Attack::Idle | Attack::Floods => until_closed(&mut stream).await,
    }
}

async fn until_closed(stream: &mut TcpStream) -> Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Sends the first part of a body at once and the rest byte by byte.
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

/// Asks for a long answer again and again, and reads nothing.
async fn unread(stream: &mut TcpStream) -> Result<()> {
    let request = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(UNREAD_REQUESTS);
    stream.write_all(request.as_bytes()).await?;
    loop {
        // Writing shows that the other side has closed; a head that never ends asks for nothing.
        tokio::time::sleep(BYTE_EVERY).await;
        stream.write_all(b"G").await?;
    }
}

/// Answers pings, and leaves so many answers unread behind windows of one byte.
async fn over_http2(stream: TcpStream, streams: usize) -> Result<()> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1).initial_connection_window_size(16 * 1024 * 1024);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let unread = async {
        let mut answers = Vec::new();
        for number in 0..streams {
            // A listing is made for each request, a document is not.
            let path = if number % 2 == 0 { "/openapi.json" } else { "/api/products?limit=100" };
            let request = Request::get(format!("http://x{path}")).header("x-api-version", "v1");
            sender.ready().await?;
            answers.push(sender.send_request(request.body(Empty::<Bytes>::new())?));
        }
        let answered = futures_util::future::join_all(answers).await;
        std::future::pending::<()>().await;
        drop(answered);
        anyhow::Ok(())
    };
    tokio::select! {
        ended = connection => ended.map_err(Into::into),
        failed = unread => failed,
    }
}
