//! The shop's process managers, pure: no task, clock, randomness or I/O.
//!
//! A folder a process (`checkout`, `settlement`, `reversal`), each with `step`, `state`, `input`, `moves`,
//! `decide`, `evolve`, `fill_in`, and `version_1`, the frozen rules of transitions that recorded no moves.
//! [`ShopCommand`] is a command that a process sends; [`ProviderCall`] is a call that it asks of the payment
//! provider, whose port is [`PaymentProvider`].

pub mod checkout;
pub mod provider;
pub mod provider_call;
pub mod reversal;
pub mod settlement;
pub mod shop_command;

pub use provider::{Answer, FoundPayment, PaymentProvider};
pub use provider_call::{Authorization, ProviderCall};
pub use shop_command::ShopCommand;
