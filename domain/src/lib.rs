//! The shop's rules, pure: no I/O, no async, no clock, no randomness.
//!
//! A folder an aggregate (`product`, `claim`, `stock`, `cart`, `order`, `payment`, `webhook`, `skips`,
//! `user`), each with the same
//! files: `command`, `event`, `state`, `decide`, `evolve`, `rejection`. A folder a process (`checkout`,
//! `settlement`, `reversal`), each with `step`, `state`, `input`, `moves`, `decide`, `evolve`, `fill_in`, and the
//! rules of transitions of version 1, frozen.

pub mod address;
pub mod cart;
pub mod characters;
pub mod checkout;
pub mod claim;
pub mod email;
pub mod field_error;
pub mod fold;
pub mod folding;
pub mod limits;
pub mod money;
pub mod names;
pub mod order;
pub mod payment;
pub mod personal_text;
pub mod product;
pub mod provider;
pub mod quote;
pub mod reversal;
pub mod settlement;
pub mod shop_command;
pub mod skips;
pub mod stock;
pub mod text;
pub mod text_rules;
pub mod user;
pub mod webhook;

pub use address::Address;
pub use email::Email;
pub use field_error::FieldError;
pub use money::{Currency, Money, MoneyError};
pub use names::{
    AddressId, CartId, CustomerId, DebtId, EmailHash, InvalidText, OrderId, OrderRef, PaymentId, ProductId,
    RefundId, ReversalId, Sku, UserId, VoidId,
};
pub use personal_text::PersonalText;
pub use provider::{Authorization, ProviderCall};
pub use shop_command::ShopCommand;
pub use text::{TextError, TextRule};
