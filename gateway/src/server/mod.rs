//! Connections: how many at once and from one address, and how long each may wait, ask nothing or not read.

mod activity;
mod delivery;
pub mod files;
pub(crate) mod framing;
mod io;
mod slack;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use crate::shares::Shares;
use activity::Activity;
use delivery::{Delivered, Delivery, Streams};
use io::Watched;

/// Bytes of memory for connections: their tasks and buffers, without bodies, large heads and answers.
const CONNECTIONS_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Bytes of one connection at most. Measured 2026-11-30: 4 KiB before its first request, 14 KiB over HTTP/1.1 with one
/// behind it or under way, 25 KiB over HTTP/2 that answers pings; beyond that come a first buffer of a head and streams.
const CONNECTION_BYTES: usize = 32 * 1024;
/// Connections at once, where the system allows as many open files; those beyond wait to be accepted.
pub const CONNECTIONS_MAX: usize = CONNECTIONS_BYTES_MAX / CONNECTION_BYTES;
/// Bytes of heads that are not whole yet, of all connections, without the first 8 KiB of each.
pub const UNFINISHED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Streams of all HTTP/2 connections at once.
pub const ALL_STREAMS_MAX: usize = 1_024;
/// Connections at once of the listener for operators.
pub const INTERNAL_CONNECTIONS_MAX: usize = 64;
/// The longest time of a request's head, and of a connection before its first one.
pub const HEAD_MAX: Duration = Duration::from_secs(10);
/// The longest time of an HTTP/2 connection without a request; a ping is none.
pub const IDLE_MAX: Duration = Duration::from_secs(30);
/// The longest time that an answer waits for its client. Each kibibyte that the client reads gives a second back.
pub const UNREAD_MAX: Duration = Duration::from_secs(20);
/// The longest time of a connection to close once it is told to.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// Bytes that are read ahead of an HTTP/1.1 connection: more than the largest head.
const HEAD_BYTES_MAX: usize = 72 * 1024;
/// Streams of one HTTP/2 connection at once. Each takes some kilobytes, also one that was refused, until its
/// client has read that.
const STREAMS_MAX: u32 = 32;
/// Bytes of the headers of one HTTP/2 request.
const HEADERS_BYTES_MAX: u32 = 16 * 1024;
/// Bytes that one HTTP/2 stream may send before they are read.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes that all streams of an HTTP/2 connection together may send before they are read.
const CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;
/// Bytes of one HTTP/2 stream that wait in front of its window.
const SEND_BYTES_MAX: usize = 16 * 1024;
/// Bytes that the system keeps of a connection's answers.
const SOCKET_SEND_BYTES: usize = 128 * 1024;
/// Bytes of them that it could not send yet, at most. More of an answer is taken as soon as some are sent, so that a
/// slow reader's progress shows.
const SOCKET_UNSENT_BYTES: u32 = 16 * 1024;
/// The pause of accepting when the system has no room for another connection.
const FULL_WAIT: Duration = Duration::from_millis(100);

/// Limits of connections.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Connections at once. Each address may have at most as many as are free.
    pub count_max: usize,
    /// Streams of all HTTP/2 connections at once, shared by address likewise.
    pub streams_max: usize,
    /// Bytes of heads that are not whole yet, shared by address likewise.
    pub unfinished_bytes_max: usize,
    /// The longest time of a head.
    pub head_max: Duration,
    /// The longest time of a connection without another request.
    pub idle_max: Duration,
    /// The time for which a client may keep an answer waiting.
    pub unread_max: Duration,
    /// Networks of trusted proxies: many people share such an address, so it has no limit of its own.
    pub proxies: Vec<IpNet>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            count_max: CONNECTIONS_MAX,
            streams_max: ALL_STREAMS_MAX,
            unfinished_bytes_max: UNFINISHED_BYTES_MAX,
            head_max: HEAD_MAX,
            idle_max: IDLE_MAX,
            unread_max: UNREAD_MAX,
            proxies: Vec::new(),
        }
    }
}

impl Connections {
    /// The address that a peer's connections count for; none for a trusted proxy.
    fn counted(&self, peer: SocketAddr) -> Option<IpAddr> {
        let address = peer.ip().to_canonical();
        let is_shared = self.proxies.iter().any(|network| network.contains(&address));
        (!is_shared).then_some(address)
    }

    fn builder(&self, streams: Streams) -> Builder<Streams> {
        let mut builder = Builder::new(streams);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.head_max);
        builder.http1().max_buf_size(HEAD_BYTES_MAX);
        let mut http2 = builder.http2();
        http2.timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        http2.keep_alive_interval(self.head_max).keep_alive_timeout(self.head_max);
        http2.initial_stream_window_size(STREAM_WINDOW_BYTES);
        http2.initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        http2.max_send_buf_size(SEND_BYTES_MAX).max_header_list_size(HEADERS_BYTES_MAX);
        builder
    }
}

/// Serves until it is told to stop; then takes no new connection, and ends when those under way have their
/// answers.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    stop: impl Future<Output = ()>,
) {
    let count_max = u32::try_from(connections.count_max).unwrap_or(u32::MAX);
    let permits = Arc::new(Semaphore::new(connections.count_max));
    let (stopping, stopped) = watch::channel(false);
    let server = Server::new(router, connections, stopped);
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            () = &mut stop => break,
        };
        // The semaphore is never closed.
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let client = server.connections.counted(peer);
                match server.shares.take(client, 1) {
                    Some(share) => server.converse(stream, peer, client, (permit, share)),
                    // Closed at once.
                    None => metrics::counter!("souk_connections_cut_total", "why" => "address").increment(1),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(FULL_WAIT).await;
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    // Every connection holds a permit to its end.
    let _ = permits.acquire_many(count_max).await;
}

struct Server {
    router: Router,
    connections: Connections,
    stopped: watch::Receiver<bool>,
    /// Connections, streams of HTTP/2 and bytes of unfinished heads, by the addresses that they count for.
    shares: Arc<Shares>,
    streams: Arc<Shares>,
    unfinished: Arc<Shares>,
}

impl Server {
    fn new(router: Router, connections: Connections, stopped: watch::Receiver<bool>) -> Self {
        let shares = Shares::new(connections.count_max);
        let streams = Shares::new(connections.streams_max);
        let unfinished = Shares::new(connections.unfinished_bytes_max);
        Self { router, connections, stopped, shares, streams, unfinished }
    }

    /// Speaks with a client until one of both closes the connection.
    fn converse(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        client: Option<IpAddr>,
        held: impl Send + 'static,
    ) {
        prepare(&stream);
        let activity = Activity::new(self.unfinished.nothing(client));
        let io = Watched::new(stream, Arc::clone(&activity), self.connections.unread_max);
        let router = self.router.clone();
        let requests = Arc::clone(&activity);
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let under_way = requests.begin();
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let router = router.clone();
            async move {
                let ambiguous = framing::ambiguous(&request);
                if let Some(ambiguous) = ambiguous {
                    request.extensions_mut().insert(ambiguous);
                }
                let mut response = router.oneshot(request).await?;
                if ambiguous.is_some() {
                    // What follows may be a part of the body.
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                let delivery = Delivery::current();
                Ok::<_, Infallible>(response.map(|body| Delivered::new(body, delivery, under_way)))
            }
        });
        let wait_max = self.connections.unread_max;
        let builder =
            self.connections.builder(Streams { wait_max, shares: Arc::clone(&self.streams), client });
        let connection = builder.serve_connection(TokioIo::new(io), service).into_owned();
        let Connections { head_max, idle_max, .. } = self.connections;
        let mut stopped = self.stopped.clone();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let is_stopped = async {
                // The sender goes only with the server.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            // A client that breaks off or is too slow has no use for a reason.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = activity.is_idle(head_max, idle_max) => {}
                () = is_stopped => {}
            }
            connection.as_mut().graceful_shutdown();
            // Requests under way are answered, and the client has some time to close.
            let is_over = async {
                tokio::time::sleep(CLOSE_MAX).await;
                activity.is_idle(CLOSE_MAX, CLOSE_MAX).await;
            };
            tokio::select! {
                _ = connection.as_mut() => {}
                () = is_over => {}
            }
            drop(held);
        });
    }
}

fn prepare(stream: &TcpStream) {
    // Answers are written whole: waiting for more to send would only delay them.
    let socket = socket2::SockRef::from(stream);
    let prepared = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_send_buffer_size(SOCKET_SEND_BYTES))
        .and_then(|()| socket.set_tcp_notsent_lowat(SOCKET_UNSENT_BYTES));
    if let Err(error) = prepared {
        tracing::debug!(%error, "a connection keeps the settings of the system");
    }
}
