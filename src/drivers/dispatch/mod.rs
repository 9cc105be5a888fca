//! Sends the commands of processes to their aggregates and the calls of processes to the payment provider.
//!
//! Nothing is decided here. Everything can be done twice: commands and provider calls go under ids that are
//! derived from the process's output.

mod commands;
mod effects;

pub use commands::{Sent, ShopPorts};
pub use effects::Effects;
