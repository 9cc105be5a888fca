//! HTTP reads, from read models only; browsing the log (`log_browser`) is a router of its own.
//!
//! A folder a resource, each with its SQL, `response` (shapes) and `routes`. One statement a request:
//! rows of other models are joined, never looked up one by one. Every answer says how far the read
//! models were when it was begun.

pub mod cart;
pub mod database;
pub mod inventory;
pub mod log_browser;
pub mod orders;
pub mod payments;
pub mod positions;
pub mod products;
pub mod projections;

pub use database::QueryState;
pub use positions::ReadPositions;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every read of the API.
pub fn router(state: QueryState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(products::routes::list))
        .routes(routes!(products::routes::show))
        .routes(routes!(inventory::routes::list))
        .routes(routes!(inventory::routes::show))
        .routes(routes!(cart::routes::show))
        .routes(routes!(orders::routes::list))
        .routes(routes!(orders::routes::show))
        .routes(routes!(orders::routes::sales))
        .routes(routes!(payments::routes::list))
        .routes(routes!(payments::routes::show))
        .routes(routes!(projections::list))
        .routes(routes!(log_browser::stream))
        .with_state(state)
}
