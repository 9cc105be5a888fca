//! The shop for HTTP tests: the routers of the command API and the query API behind the edge, in one process,
//! over a log, read models and credentials in a temporary folder.
//!
//! Invariants: the time moves only in [`Shop::pass`]. Read models change only in [`Shop::project`]. No process
//! manager and no sweep runs; a test records their steps itself, for example with [`Shop::as_checkout`]. Each
//! response is compared with `docs/openapi.json`. On failure: a wrong response panics at the line of the test.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a panic is the failure message of a test"
)]

mod append;
mod call;
mod clock;
mod data_folder;
mod document;
mod doubles;
mod examples;
mod log;
mod mails;
mod port;
mod reads;
mod response;
mod shop;
mod steps;

pub use call::Call;
pub use document::check_headers;
pub use examples::{
    cart_id, content, customer_id, draft, later, order_id, pence, product_body, product_id, sku,
};
pub use reads::Reads;
pub use response::{Response, fields};
pub use shop::{Shop, WEBHOOK_SECRET};
