//! HTTP building blocks that the command API, the query API and the gateway share: routes and their rules,
//! problem documents, headers, access tokens, request bodies, pages of lists.
//!
//! Each rule of the HTTP interface is implemented here once. A request that breaks a rule gets a problem
//! document.

pub mod body;
pub mod cart_token;
pub mod catalogue;
pub mod closed_texts;
pub mod correlation;
pub mod ended_sessions;
pub mod fields;
pub mod guard;
pub mod headers;
pub mod identity;
pub mod keys;
mod objects;
pub mod paging;
pub mod problem;
pub mod published_keys;
pub mod routes;
pub mod shapes;
pub mod sign_ins;
pub mod token_keys;

pub use body::{ForeignQuery, StrictJson, StrictQuery};
pub use ended_sessions::EndedSessions;
pub use guard::Guard;
pub use identity::{Caller, Role};
pub use keys::Keys;
pub use problem::Problem;
pub use published_keys::PublishedKeys;
