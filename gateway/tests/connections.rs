//! Connections: shared among client addresses, closed when idle, and cut off when responses are not read.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use souk_gateway::server::{Connections, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Size of the large response, in bytes.
const LARGE: usize = 8 * 1024 * 1024;
/// Maximum time that a test waits for a step. Every step takes less time.
const STEP_WAIT_MAX: Duration = Duration::from_secs(20);
/// Short timeout of the server's connections, so that the tests reach it soon.
const SHORT_TIMEOUT: Duration = Duration::from_millis(400);

struct Server {
    address: SocketAddr,
    /// Number of large responses that are being sent.
    large_responses: Arc<AtomicUsize>,
}

/// A large response that is being sent. It is counted until it is dropped.
struct LargeResponse(Arc<AtomicUsize>);

impl LargeResponse {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for LargeResponse {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn with_short_timeouts() -> Connections {
    Connections {
        head_max: SHORT_TIMEOUT,
        idle_max: SHORT_TIMEOUT,
        unread_max: SHORT_TIMEOUT,
        ..Connections::default()
    }
}

async fn server(connections: Connections) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let large_responses = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&large_responses);
    let large = move || {
        let response = LargeResponse::new(&counted);
        let pieces = futures_util::stream::unfold((0, response), |(sent, response)| async move {
            let piece = Bytes::from(vec![b'x'; 64 * 1024]);
            (sent < LARGE).then(|| (Ok::<_, Infallible>(piece), (sent + 64 * 1024, response)))
        });
        std::future::ready(Body::from_stream(pieces))
    };
    let router = Router::new().route("/", get(|| async { "small" })).route("/large", get(large));
    tokio::spawn(serve(listener, router, connections, std::future::pending()));
    Server { address, large_responses }
}

impl Server {
    /// Waits until every large response was dropped.
    async fn until_all_dropped(&self) {
        let all_dropped = async {
            while self.large_responses.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(STEP_WAIT_MAX, all_dropped).await.expect("the response is dropped");
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect_from(&self, source: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Connects an HTTP/2 client with small windows. Returns it with the task of its connection.
    async fn http2(&self) -> (SendRequest<Empty<Bytes>>, JoinHandle<()>) {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(70_000).initial_connection_window_size(10_000_000);
        let (sender, connection) = builder.handshake(TokioIo::new(self.connect().await)).await.unwrap();
        let connection = tokio::spawn(async move {
            // Only the end of the connection matters, not its result.
            let _ = connection.await;
        });
        (sender, connection)
    }
}

fn get_request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://x{path}")).body(Empty::new()).unwrap()
}

async fn body_bytes(response: Response<hyper::body::Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Sends a request and waits for the first byte of the response. Returns false if the connection is closed
/// instead.
async fn responds(stream: &mut TcpStream) -> bool {
    if stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
        return false;
    }
    let read = tokio::time::timeout(STEP_WAIT_MAX, stream.read(&mut [0])).await.unwrap();
    read.is_ok_and(|read| read == 1)
}

// Proves: edge.fair-shares
#[tokio::test]
async fn one_address_can_have_at_most_half_of_the_connections() {
    let server = server(Connections { count_max: 8, ..Connections::default() }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect_from("127.0.0.2").await;
        assert!(responds(&mut stream).await);
        held.push(stream);
    }
    assert!(!responds(&mut server.connect_from("127.0.0.2").await).await);
    assert!(responds(&mut server.connect_from("127.0.0.3").await).await);
    drop(held);
    let again = async { while !responds(&mut server.connect_from("127.0.0.2").await).await {} };
    tokio::time::timeout(STEP_WAIT_MAX, again).await.expect("closed connections make room");
}

#[tokio::test]
async fn a_trusted_proxy_can_have_all_connections() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = server(Connections { count_max: 4, proxies, ..Connections::default() }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect_from("127.0.0.2").await;
        assert!(responds(&mut stream).await);
        held.push(stream);
    }
}

// Proves: edge.slow-clients
#[tokio::test]
async fn an_unread_response_over_http1_is_cut_off() {
    let server = server(with_short_timeouts()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    assert!(server.large_responses.load(Ordering::Relaxed) > 0, "the response is being sent");
    server.until_all_dropped().await;
}

#[tokio::test]
async fn an_unread_response_over_http2_ends_only_its_stream() {
    let server = server(Connections { idle_max: STEP_WAIT_MAX, ..with_short_timeouts() }).await;
    let (mut sender, _connection) = server.http2().await;
    let unread = sender.send_request(get_request("/large")).await.unwrap();
    assert!(server.large_responses.load(Ordering::Relaxed) > 0, "the response is being sent");
    server.until_all_dropped().await;
    assert!(unread.into_body().collect().await.is_err(), "the stream is reset");
    let other = sender.send_request(get_request("/")).await.unwrap();
    assert_eq!(body_bytes(other).await, "small");
}

#[tokio::test]
async fn unread_last_bytes_of_an_http2_response_end_its_stream() {
    let server = server(Connections { idle_max: STEP_WAIT_MAX, ..with_short_timeouts() }).await;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // The window has room for one byte of the response.
    builder.initial_stream_window_size(1).initial_connection_window_size(10_000_000);
    let stream = server.connect().await;
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let _connection = tokio::spawn(connection);
    let unread = sender.send_request(get_request("/")).await.unwrap();
    tokio::time::sleep(3 * SHORT_TIMEOUT).await;
    let ended = tokio::time::timeout(STEP_WAIT_MAX, unread.into_body().collect()).await.unwrap();
    assert!(ended.is_err(), "the stream is reset");
}

#[tokio::test]
async fn a_slow_reader_gets_the_complete_response() {
    let server = server(Connections { unread_max: 3 * SHORT_TIMEOUT, ..with_short_timeouts() }).await;
    let (mut sender, _connection) = server.http2().await;
    let mut body = sender.send_request(get_request("/large")).await.unwrap().into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len);
        if length % (512 * 1024) < 16 * 1024 {
            tokio::time::sleep(SHORT_TIMEOUT / 2).await;
        }
    }
    assert_eq!(length, LARGE);
}

/// Regression test: a client that read slowly was cut off, because its progress was not visible while the
/// send buffer of the system was full.
#[tokio::test]
async fn a_slow_reader_over_http1_is_not_cut_off_while_the_send_buffer_is_full() {
    let server = server(Connections { unread_max: 2 * SHORT_TIMEOUT, ..with_short_timeouts() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // The client reads 64 KiB per second. The system accepts more bytes only when a third of its send buffer
    // is free, and that takes longer than `unread_max`.
    let started = std::time::Instant::now();
    while started.elapsed() < 10 * SHORT_TIMEOUT {
        stream.read_exact(&mut [0; 4 * 1024]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert!(server.large_responses.load(Ordering::Relaxed) > 0, "the response is still being sent");
    drop(stream);
    server.until_all_dropped().await;
}

/// Regression test: each stream uses memory until its client has read the response, even a stream whose
/// request was refused.
#[tokio::test]
async fn streams_of_all_connections_share_one_limit_and_one_address_gets_at_most_half() {
    let limits = Connections {
        streams_max: 8,
        unread_max: STEP_WAIT_MAX,
        idle_max: STEP_WAIT_MAX,
        ..with_short_timeouts()
    };
    let server = server(limits).await;
    let mut unread = Vec::new();
    for connection in 0..2 {
        let (mut sender, _connection) = server.http2().await;
        for stream in 0..2 {
            let response = sender.send_request(get_request("/large")).await;
            unread.push(response.unwrap_or_else(|error| panic!("{connection} {stream}: {error}")));
        }
    }
    let (mut sender, _connection) = server.http2().await;
    let refused = sender.send_request(get_request("/")).await;
    assert!(refused.is_err(), "one address has four of eight streams");
    let builder = http2::Builder::new(TokioExecutor::new());
    let stream = server.connect_from("127.0.0.3").await;
    let (mut other, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let _connection = tokio::spawn(connection);
    assert_eq!(body_bytes(other.send_request(get_request("/")).await.unwrap()).await, "small");
    drop(unread);
    server.until_all_dropped().await;
    assert_eq!(
        body_bytes(sender.send_request(get_request("/")).await.unwrap()).await,
        "small",
        "streams are free again"
    );
}

/// Connects and sends a request whose head is incomplete.
async fn send_incomplete_head(server: &Server, source: &str, bytes: usize) -> TcpStream {
    let mut stream = server.connect_from(source).await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(bytes));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Regression test: no budget limited the bytes of incomplete request heads.
#[tokio::test]
async fn incomplete_heads_share_one_budget_and_leave_room_for_other_addresses() {
    let limits =
        Connections { unfinished_bytes_max: 80 * 1024, head_max: STEP_WAIT_MAX, ..Connections::default() };
    let server = server(limits).await;
    let mut first = send_incomplete_head(&server, "127.0.0.2", 40 * 1024).await;
    let mut second = send_incomplete_head(&server, "127.0.0.2", 40 * 1024).await;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(STEP_WAIT_MAX, second.read_to_end(&mut rest)).await.unwrap();
    assert!(closed.is_err() || rest.is_empty(), "the second connection is cut off");
    let mut other = send_incomplete_head(&server, "127.0.0.3", 20 * 1024).await;
    for stream in [&mut other, &mut first] {
        stream.write_all(b"\r\n\r\n").await.unwrap();
        let read = tokio::time::timeout(STEP_WAIT_MAX, stream.read(&mut [0])).await.unwrap();
        assert_eq!(read.unwrap(), 1, "the request has a response");
    }
    let mut again = send_incomplete_head(&server, "127.0.0.2", 40 * 1024).await;
    again.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(again.read(&mut [0]).await.unwrap(), 1, "complete heads no longer use the budget");
}

#[tokio::test]
async fn an_idle_connection_is_closed_even_if_it_responds_to_pings() {
    let server = server(with_short_timeouts()).await;
    let (mut sender, connection) = server.http2().await;
    let response = sender.send_request(get_request("/")).await.unwrap();
    assert_eq!(body_bytes(response).await, "small");
    tokio::time::timeout(STEP_WAIT_MAX, connection).await.expect("the connection is closed").unwrap();
    let mut idle = server.connect().await;
    assert!(responds(&mut idle).await);
    let mut rest = Vec::new();
    tokio::time::timeout(STEP_WAIT_MAX, idle.read_to_end(&mut rest))
        .await
        .expect("the connection is closed")
        .unwrap();
}

#[tokio::test]
async fn a_connection_is_not_idle_while_a_request_is_running() {
    let server = server(Connections { unread_max: STEP_WAIT_MAX, ..with_short_timeouts() }).await;
    let (mut sender, _connection) = server.http2().await;
    let unread = sender.send_request(get_request("/large")).await.unwrap();
    tokio::time::sleep(4 * SHORT_TIMEOUT).await;
    assert_eq!(body_bytes(unread).await.len(), LARGE);
}
