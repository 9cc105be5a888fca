//! The shop's read side over HTTP. All data comes from the read models; only the log browser reads the log.
//!
//! Each resource has a folder with the same files: `routes.rs`, `response.rs` and one `.sql` file for each
//! statement. Every `.sql` file is a whole statement. A page, however long, is read with a constant number of
//! statements. Statements whose rows belong together, such as an order and its lines, run in one read
//! transaction, so they see the same state. All lists share their steps (`list.rs`). A page of a list ends at
//! the caller's limit or at a maximum size (`pages.rs`). One caller can use only some of the connections
//! (`readers.rs`). Every response names a log position. The position is read before the first statement runs,
//! so the data in the response has reached it. SQL is static, and its parameters are `$1`, `$2` and so on. A
//! statement that reads several rows by key takes a JSON object whose names are the keys and reads it with
//! `json_each`. The statements have run on SQLite only. On `PostgreSQL`, such a parameter must have the type
//! `json`, and text must be compared by bytes.

mod cart;
mod database;
mod dead_letters;
mod inventory;
mod list;
mod log_browser;
mod order_notes;
mod orders;
mod pages;
mod parked;
mod parked_entities;
mod payments;
mod people;
mod positions;
mod products;
mod projections;
mod readers;
mod responses;
mod running_exports;
mod sales;
mod time_range;
mod users;

pub use database::{QueryPorts, QueryState};
pub use log_browser::response::EventResponse;
pub use log_browser::routes::log_browser;
pub use parked_entities::ParkedEntities;
pub use positions::{ReadModelProgress, ReadPositions};

use souk_http::routes::{ApiRouter, Route, Side};
use utoipa_axum::router::OpenApiRouter;

/// Returns all reads except the log browser, which has its own state.
fn api() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query)
        .merge(products::routes::router())
        .merge(inventory::routes::router())
        .merge(cart::routes::router())
        .merge(sales::routes::router())
        .merge(orders::routes::router())
        .merge(order_notes::routes::router())
        .merge(users::routes::router())
        .merge(payments::routes::router())
        .merge(dead_letters::routes::router())
        .merge(projections::routes::router())
        .merge(parked::routes::router())
}

/// Returns the rows of the route table for all reads.
pub fn routes() -> Vec<Route> {
    let mut routes = api().into_routes();
    routes.extend(log_browser::routes::router().into_routes());
    routes
}

/// Returns the router of all reads except the log browser. The caller adds the middleware that checks the
/// common rules (tokens, headers, limits).
pub fn router(state: QueryState) -> OpenApiRouter {
    api().into_router().with_state(state)
}
