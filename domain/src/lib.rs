//! The rules of the shop. They are pure: no I/O, no async code, no clock, no randomness.
//!
//! There is a folder for each aggregate of [`for_each_aggregate!`]. Each folder has the same files: `command`,
//! `event`, `state`, `decide`, `evolve` and `rejection`, and `id` if the aggregate has ids.

pub mod address;
pub mod aggregates;
pub mod cart;
pub mod characters;
pub mod claim;
pub mod email;
pub mod field_error;
pub mod fold;
pub mod folding;
#[cfg(test)]
mod history;
mod ids;
pub mod limits;
pub mod money;
pub mod order;
pub mod order_notes;
pub mod payment;
pub mod personal_text;
pub mod problem;
pub mod product;
pub mod quote;
pub mod skips;
pub mod stock;
pub mod text;
pub mod text_rules;
pub mod user;
pub mod webhook;

pub use address::Address;
pub use aggregates::{AggregateCommand, AggregatePorts, OpenPort};
pub use cart::id::CartId;
pub use email::{Email, EmailHash};
pub use field_error::FieldError;
pub use ids::InvalidText;
pub use money::{Currency, Money, MoneyError};
pub use order::id::{OrderId, ReversalId};
pub use order_notes::id::NoteId;
pub use payment::id::{DebtId, PaymentId, RefundId, VoidId};
pub use personal_text::PersonalText;
pub use product::id::{ProductId, Sku};
pub use stock::id::OrderRef;
pub use text::{TextError, TextRule};
pub use user::id::{AddressId, CustomerId, UserId};
