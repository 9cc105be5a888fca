//! What the shop does by itself: sends the commands its processes decide on, and carries out what they
//! ask of the payment provider.
//!
//! The processes themselves are in the domain and their runtime in the kernel; here is what connects
//! them to aggregates and provider. Nothing is decided here. Everything can be done twice: commands and
//! provider calls go under ids derived from the process's output.

pub mod commands;
pub mod effects;
pub mod provider;

pub use commands::{Sent, ShopPorts};
pub use effects::Effects;
pub use provider::{Answer, FoundPayment, PaymentProvider};
