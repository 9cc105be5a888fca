//! Tests of the write API through its router. The file names follow the paths: `products.rs` tests
//! `/api/products`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod admin_import_products;
mod advice;
mod auth;
mod auth_mails;
mod auth_password;
mod auth_verify;
mod bad_input;
mod cart;
#[path = "../../../tests/api/documented.rs"]
mod documented;
mod erased_meanwhile;
mod idempotency_scopes;
mod inventory;
mod maintenance;
mod order_notes;
mod orders;
mod orders_from_cart;
mod payments;
mod payments_webhook;
mod port;
mod products;
mod providers;
mod shop;
mod text_fields;
mod text_stages;
mod users;
mod wrong_fields;
