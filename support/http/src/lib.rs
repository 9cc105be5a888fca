//! What every HTTP answer of the shop has in common: problems, headers, identities, bodies, pages.
//!
//! Both sides of the API are built on it, so that each rule is stated once.

pub mod body;
pub mod cart_token;
pub mod catalogue;
pub mod closed_texts;
pub mod correlation;
pub mod denials;
pub mod fields;
pub mod guard;
pub mod headers;
pub mod identity;
pub mod keys;
mod objects;
pub mod paging;
pub mod problem;
pub mod published_keys;
pub mod shapes;
pub mod sign_ins;
pub mod token_keys;

pub use body::{StrictJson, StrictQuery};
pub use denials::Denials;
pub use guard::Guard;
pub use identity::{Caller, Role};
pub use keys::Keys;
pub use problem::Problem;
pub use published_keys::PublishedKeys;
