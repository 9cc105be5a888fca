//! The edge: who may ask what, how often, how large and how long, in front of both sides of the API.
//!
//! One table ([`table::ROUTES`]) says it for every route; the layers here, the document's security section,
//! the list in `docs/ACCESS.md` and the tests all come from it. A route without a row answers nobody.

pub mod browsers;
pub mod client;
pub mod document;
pub mod layers;
pub mod limits;
pub mod proxy;
pub mod room;
pub mod server;
pub mod shares;
pub mod table;
mod unread;

pub use browsers::for_browsers;
pub use client::TrustedProxies;
pub use layers::{Bodies, Edge, edge};
pub use limits::{Limits, SharedCounts};
pub use room::{Room, RoomLimits};
pub use table::{Access, Class, ROUTES, Route, Side};
