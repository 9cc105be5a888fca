//! The process managers of the shop, and its erasures and sweeps.
//!
//! Processes are pure: no task, clock, randomness or I/O. `erasure` and `sweeps` reach everything outside only
//! through [`ShopPorts`]; they know no HTTP, no SQL and no threads. `provider_event` applies the webhooks of the
//! payment provider.
//!
//! There is a folder for each process (`checkout`, `settlement`, `reversal`). Each folder has the files
//! `step`, `state`, `input`, `moves`, `decide`, `evolve` and `fill_in`, and `version_1`: the frozen rules for
//! transitions that were recorded without their moves. A process sends commands to aggregates
//! ([`AggregateCommand`](souk_domain::AggregateCommand)), and has its own type of effects. The effects of
//! `checkout` and `settlement` are [`ProviderCall`]s to the payment provider, whose port is
//! [`PaymentProvider`].

pub mod checkout;
pub mod erasure;
pub mod ports;
pub mod provider;
pub mod provider_call;
pub mod provider_event;
pub mod reversal;
pub mod settlement;
pub mod sweeps;

pub use ports::ShopPorts;
pub use provider::{FoundPayment, PaymentProvider, ProviderAnswer};
pub use provider_call::{Authorization, ProviderCall};
