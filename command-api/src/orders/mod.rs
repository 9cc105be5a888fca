//! `/api/orders`: from placing to taking back.

pub mod assemble;
mod destination;
pub mod guests;
pub mod place;
pub mod request;
pub mod routes;
mod second_click;
