//! The addresses that a process listens on.
//!
//! They are taken first of all, and listened on when there is something to answer: until then connections are
//! refused. A process whose address another one has ends before it has opened anything.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};

use crate::configuration::Configuration;

/// Connections that the system keeps until they are accepted.
const WAITING_CONNECTIONS_MAX: u32 = 1_024;

/// The addresses of a process, where it does not listen yet.
pub struct Addresses {
    main: Taken,
    internal: Option<Taken>,
}

/// Listeners of a process.
pub struct Listeners {
    /// The one that everybody asks.
    pub main: TcpListener,
    /// The one that operators ask, if there is one.
    pub internal: Option<TcpListener>,
}

/// One address.
struct Taken {
    socket: TcpSocket,
    address: SocketAddr,
    /// Advice for the case that another process has it.
    hint: &'static str,
}

impl Addresses {
    /// Takes the addresses of a configuration.
    pub fn take(configuration: &Configuration) -> anyhow::Result<Self> {
        let main = Taken::new(configuration.listen, "(is another shop there? choose with --listen)")?;
        let internal = configuration.internal_listen;
        let internal =
            internal.map(|address| Taken::new(address, "for metrics (choose with --internal-listen)"));
        Ok(Self { main, internal: internal.transpose()? })
    }

    /// Listens on them.
    pub fn listen(self) -> anyhow::Result<Listeners> {
        let main = self.main.listen()?;
        let internal = self.internal.map(Taken::listen).transpose()?;
        if let Some(internal) = &internal {
            tracing::info!(address = %internal.local_addr()?, "metrics and the release gate listen");
        }
        Ok(Listeners { main, internal })
    }
}

impl Taken {
    fn new(address: SocketAddr, hint: &'static str) -> anyhow::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let bound = socket.and_then(|socket| {
            // Connections of a process before, which are closed but not forgotten, do not hold the address.
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
    format!("{address} can't be listened on {hint}")
}
