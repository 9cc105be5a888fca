//! Dispatch of process outputs: commands go to their aggregates, and calls go to the payment provider.
//!
//! This module makes no business decision. Everything may run twice: the ids of commands and calls are
//! derived from the output of the process, so a repeat has no further effect.

mod commands;
mod provider_calls;

pub use commands::{CommandSender, SendOutcome};
pub use provider_calls::ProviderCalls;
