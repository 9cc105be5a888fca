//! `/api/orders`: placing orders, and every later change until their return.

pub mod access;
pub mod assemble;
mod destination;
pub mod guests;
pub mod place;
pub mod request;
pub mod routes;
mod second_click;
