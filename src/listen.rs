//! Addresses that a process listens on.
//!
//! A process first reserves its addresses, so it ends early if another process uses one of them. It starts to
//! listen later, when it can respond to requests. Until then connections are refused.

use std::net::SocketAddr;

use anyhow::Context as _;
use souk_configuration::Configuration;
use tokio::net::{TcpListener, TcpSocket};

/// Maximum number of connections that wait until they are accepted.
const WAITING_CONNECTIONS_MAX: u32 = 1_024;

/// Reserved addresses of a process. It does not listen yet.
pub struct Addresses {
    main: Reserved,
    internal: Option<Reserved>,
}

/// Listeners of a process.
pub struct Listeners {
    /// Listener for clients.
    pub main: TcpListener,
    /// Listener for operators: metrics and the release gate.
    pub internal: Option<TcpListener>,
}

/// Address that is reserved, with its socket.
struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
    /// Advice for the error message if another process uses the address.
    hint: &'static str,
}

impl Addresses {
    /// Reserves the addresses of a configuration.
    pub fn reserve(configuration: &Configuration) -> anyhow::Result<Self> {
        let hint = "(is another shop running? choose another address with --listen)";
        let main = Reserved::new(configuration.listen, hint)?;
        let internal = configuration.internal_listen;
        let hint = "for metrics (choose another address with --internal-listen)";
        let internal = internal.map(|address| Reserved::new(address, hint));
        Ok(Self { main, internal: internal.transpose()? })
    }

    /// Starts to listen on the addresses.
    pub fn listen(self) -> anyhow::Result<Listeners> {
        let main = self.main.listen()?;
        let internal = self.internal.map(Reserved::listen).transpose()?;
        if let Some(internal) = &internal {
            tracing::info!(address = %internal.local_addr()?, "listening for metrics and the release gate");
        }
        Ok(Listeners { main, internal })
    }
}

impl Reserved {
    fn new(address: SocketAddr, hint: &'static str) -> anyhow::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let bound = socket.and_then(|socket| {
            // Closed connections of an earlier process must not block the address.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(socket)
        });
        let socket = bound.with_context(|| refused(address, hint))?;
        Ok(Self { socket, address, hint })
    }

    fn listen(self) -> anyhow::Result<TcpListener> {
        self.socket.listen(WAITING_CONNECTIONS_MAX).with_context(|| refused(self.address, self.hint))
    }
}

fn refused(address: SocketAddr, hint: &str) -> String {
    format!("can't listen on {address} {hint}")
}
