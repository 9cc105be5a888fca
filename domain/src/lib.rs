//! The rules of the shop. They are pure: no I/O, no async code, no clock, no randomness.
//!
//! There is a folder for each aggregate: `product`, `claim`, `stock`, `cart`, `order`, `payment`, `webhook`,
//! `skips`, `user` and `order_notes`. Each folder has the same files: `command`, `event`, `state`, `decide`,
//! `evolve` and `rejection`.

pub mod address;
pub mod aggregates;
pub mod cart;
pub mod characters;
pub mod claim;
pub mod email;
pub mod field_error;
pub mod fold;
pub mod folding;
pub mod limits;
pub mod money;
pub mod names;
pub mod order;
pub mod order_notes;
pub mod payment;
pub mod personal_text;
pub mod product;
pub mod quote;
pub mod skips;
pub mod stock;
pub mod text;
pub mod text_rules;
pub mod user;
pub mod webhook;

pub use address::Address;
pub use aggregates::{AggregatePorts, OpenPort};
pub use email::Email;
pub use field_error::FieldError;
pub use money::{Currency, Money, MoneyError};
pub use names::{
    AddressId, CartId, CustomerId, DebtId, EmailHash, InvalidText, NoteId, OrderId, OrderRef, PaymentId,
    ProductId, RefundId, ReversalId, Sku, UserId, VoidId,
};
pub use personal_text::PersonalText;
pub use text::{TextError, TextRule};
