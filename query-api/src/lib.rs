//! The shop's reads, over HTTP, from read models alone (the log browser aside).
//!
//! A folder a resource, with the same files in each: `routes.rs`, `response.rs`, and the `.sql` of its
//! statements (put together in `statements.rs` where several share a part). A request is one statement: what other
//! models know is joined, lines are grouped here. A page of a list is cut by the caller's limit and by bytes
//! (`pages.rs`), and no caller has more than a share of the connections (`readers.rs`). Every answer names a position
//! that its data has at least reached, taken before the statement runs. SQL is static, its parameters are `$1`, and it
//! keeps to what `PostgreSQL` understands too, under a collation that compares bytes.

mod answers;
mod behind;
mod cart;
mod database;
mod dead_letters;
mod exports;
mod inventory;
mod log_browser;
pub mod orders;
mod pages;
mod parked;
mod payments;
mod people;
mod positions;
pub mod products;
mod projections;
mod readers;
mod sales;
mod time_range;
mod users;

pub use behind::Behind;
pub use database::{Beside, QueryState};
pub use log_browser::response::EventAnswer;
pub use log_browser::routes::router as log_browser;
pub use positions::{Followed, ReadPositions};

use utoipa_axum::router::OpenApiRouter;

/// Every read of the API but the log browser, which is a router of its own. The common rules of `souk-http` go around it.
pub fn router(state: QueryState) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(products::routes::router())
        .merge(inventory::routes::router())
        .merge(cart::routes::router())
        .merge(sales::routes::router())
        .merge(orders::routes::router())
        .merge(users::routes::router())
        .merge(payments::routes::router())
        .merge(dead_letters::routes::router())
        .merge(projections::routes::router())
        .merge(parked::routes::router())
        .with_state(state)
}
