//! Connections: how many at once, and how long each may take to say what it wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;

/// Connections at once; those beyond wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How long a request's head may take, and how long a connection may stay without one.
pub const HEAD_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head that are kept.
const HEAD_BYTES_MAX: usize = 128 * 1024;
/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 128;
/// How long accepting waits when the system has no room for another connection.
const FULL_WAIT: Duration = Duration::from_millis(100);

/// What connections are held to.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// At once.
    pub count_max: usize,
    /// How long a head may take.
    pub head_max: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self { count_max: CONNECTIONS_MAX, head_max: HEAD_MAX }
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
    let (permits, graceful) = (Arc::new(Semaphore::new(connections.count_max)), GracefulShutdown::new());
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(connections.head_max);
    builder.http1().max_buf_size(HEAD_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
    builder.http2().keep_alive_interval(connections.head_max).keep_alive_timeout(connections.head_max);
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
                converse(&builder, &graceful, router.clone(), stream, peer, (permit, connections.head_max));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(FULL_WAIT).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn converse(
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    (permit, head_max): (OwnedSemaphorePermit, Duration),
) {
    // Answers are written whole: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps the delay of small packets");
    }
    let has_asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&has_asked);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { router.oneshot(request).await }
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    // Hyper counts the time of a head from its first bytes on, and waits for those as long as it takes.
    let is_silent = async move {
        tokio::time::sleep(head_max).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::spawn(async move {
        // A client that breaks off or is too slow has no use for a reason.
        tokio::select! {
            _ = connection => {}
            () = is_silent => {}
        }
        drop(permit);
    });
}
