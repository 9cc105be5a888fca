//! The edge: layers in front of every route that check access, rate, size and time of a request.
//!
//! One table ([`RouteTable`]) holds the rules of every route. The program collects it from the routers of the
//! APIs. The layers, the security section of the API document, the list in `docs/ACCESS.md` and the tests are
//! all derived from it. A route without a row refuses every request.

pub mod browser_headers;
pub mod client;
pub mod document;
pub mod layers;
pub mod limits;
pub mod memory;
pub mod proxy;
pub mod server;
pub mod shares;
pub mod table;
mod watched_body;

pub use browser_headers::with_browser_headers;
pub use client::TrustedProxies;
pub use layers::{BodyHandling, Edge, edge};
pub use limits::{Limits, SharedCounts};
pub use memory::{MemoryBudgets, MemoryLimits};
pub use table::RouteTable;
