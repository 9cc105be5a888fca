//! Server connections and their limits: the number in total and per client address, the time for a head, the
//! idle time, and the time for which a client may leave a response unread.
//!
//! A connection that breaks a limit is closed without a response. A graceful stop accepts no new connections
//! and waits until running requests have their responses.

mod activity;
mod delivery;
pub mod files;
pub(crate) mod framing;
mod io;
mod wait_budget;

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
use delivery::{DeliveredBody, Delivery, Streams};
use io::LimitedStream;

/// Memory for all connections, in bytes: tasks and buffers, without bodies, large heads and responses.
const CONNECTIONS_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Memory of one connection, in bytes. Measured on 2026-11-30: 4 KiB before the first request, 14 KiB over
/// HTTP/1.1 during or after a request, 25 KiB over HTTP/2 for a connection that only answers pings. The rest
/// is for the first buffer of a head and for streams.
const CONNECTION_BYTES: usize = 32 * 1024;
/// Largest number of connections, if the system allows as many open files. Further connections wait to be
/// accepted.
pub const CONNECTIONS_MAX: usize = CONNECTIONS_BYTES_MAX / CONNECTION_BYTES;
/// Budget for incomplete heads of all connections, in bytes. The first 8 KiB of each head are not counted.
pub const UNFINISHED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Largest number of streams of all HTTP/2 connections together.
pub const ALL_STREAMS_MAX: usize = 1_024;
/// Largest number of connections of the internal listener.
pub const INTERNAL_CONNECTIONS_MAX: usize = 64;
/// Longest time for the head of a request, and for a connection without a first request.
pub const HEAD_MAX: Duration = Duration::from_secs(10);
/// Longest time of an HTTP/2 connection without a request. Pings do not count as requests.
pub const IDLE_MAX: Duration = Duration::from_secs(30);
/// Longest time that a response waits for its client. Each KiB that the client reads adds a second, up to
/// this time.
pub const UNREAD_MAX: Duration = Duration::from_secs(20);
/// Longest time for closing a connection gracefully.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// Size of the read buffer of an HTTP/1.1 connection, in bytes: more than the largest head.
const HEAD_BYTES_MAX: usize = 72 * 1024;
/// Largest number of streams of one HTTP/2 connection. Each uses some kilobytes. A refused stream uses them
/// too, until its client has read the refusal.
const STREAMS_MAX: u32 = 32;
/// Largest size of the headers of an HTTP/2 request, in bytes.
const HEADERS_BYTES_MAX: u32 = 16 * 1024;
/// Receive window of one HTTP/2 stream, in bytes.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Receive window of all streams of an HTTP/2 connection together, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;
/// Send buffer of one HTTP/2 stream, in bytes.
const SEND_BYTES_MAX: usize = 16 * 1024;
/// Send buffer of the operating system for one connection, in bytes.
const SOCKET_SEND_BYTES: usize = 128 * 1024;
/// Largest part of that buffer that is not sent yet, in bytes. A small part makes the progress of a slow
/// reader visible: more of the response is accepted as soon as some bytes are sent.
const SOCKET_UNSENT_BYTES: u32 = 16 * 1024;
/// Pause after the system could not accept a connection.
const FULL_WAIT: Duration = Duration::from_millis(100);

/// Limits of the connections of a listener.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Largest number of connections. One client address may have at most as many as are left free.
    pub count_max: usize,
    /// Largest number of streams of all HTTP/2 connections, shared among client addresses by the same rule.
    pub streams_max: usize,
    /// Budget for incomplete heads, in bytes, shared among client addresses by the same rule.
    pub unfinished_bytes_max: usize,
    /// Longest time for the head of a request.
    pub head_max: Duration,
    /// Longest time of a connection without a further request.
    pub idle_max: Duration,
    /// Longest time that a response waits for its client.
    pub unread_max: Duration,
    /// Networks of trusted proxies. Many people share such an address, so it has no limit of its own.
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
    /// Returns the client address that a peer's connections count for, or `None` for a trusted proxy.
    fn client_of(&self, peer: SocketAddr) -> Option<IpAddr> {
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

/// Serves connections until `stop` completes. Then accepts no new connections, and returns when running
/// requests have their responses.
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
                let client = server.connections.client_of(peer);
                match server.shares.take(client, 1) {
                    Some(share) => server.serve_connection(stream, peer, client, (permit, share)),
                    // The stream is dropped, which closes the connection.
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
    // Every connection holds a permit until it ends.
    let _ = permits.acquire_many(count_max).await;
}

struct Server {
    router: Router,
    connections: Connections,
    stopped: watch::Receiver<bool>,
    /// Connections, shared among client addresses.
    shares: Arc<Shares>,
    /// HTTP/2 streams, shared among client addresses.
    streams: Arc<Shares>,
    /// Bytes of incomplete heads, shared among client addresses.
    unfinished: Arc<Shares>,
}

impl Server {
    fn new(router: Router, connections: Connections, stopped: watch::Receiver<bool>) -> Self {
        let shares = Shares::new(connections.count_max);
        let streams = Shares::new(connections.streams_max);
        let unfinished = Shares::new(connections.unfinished_bytes_max);
        Self { router, connections, stopped, shares, streams, unfinished }
    }

    /// Starts a task that serves a connection until one side closes it. `held` is dropped at the end.
    fn serve_connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        client: Option<IpAddr>,
        held: impl Send + 'static,
    ) {
        prepare(&stream);
        let activity = Activity::new(self.unfinished.empty_share(client));
        let io = LimitedStream::new(stream, Arc::clone(&activity), self.connections.unread_max);
        let router = self.router.clone();
        let requests = Arc::clone(&activity);
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let running = requests.begin();
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
                    // The following bytes may be a part of the body, so no further request is read.
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                let delivery = Delivery::current();
                Ok::<_, Infallible>(response.map(|body| DeliveredBody::new(body, delivery, running)))
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
                // An error means that the server has ended.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            // The result is ignored: a client that closed the connection or was too slow gets no response.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = activity.until_idle(head_max, idle_max) => {}
                () = is_stopped => {}
            }
            connection.as_mut().graceful_shutdown();
            // Running requests get their responses, and then the client has some time to close.
            let is_over = async {
                tokio::time::sleep(CLOSE_MAX).await;
                activity.until_idle(CLOSE_MAX, CLOSE_MAX).await;
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
    // Each response is written in one piece, so waiting for more data would only delay it.
    let socket = socket2::SockRef::from(stream);
    let prepared = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_send_buffer_size(SOCKET_SEND_BYTES))
        .and_then(|()| socket.set_tcp_notsent_lowat(SOCKET_UNSENT_BYTES));
    if let Err(error) = prepared {
        tracing::debug!(%error, "a connection keeps the socket options of the system");
    }
}
