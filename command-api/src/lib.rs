//! HTTP writes: request → command → decide → append.
//!
//! Each resource has a folder with `request` (shapes and checks) and `routes`. A resource never imports the
//! routes of another one; shared code stands beside them. Decisions are made from aggregates only: read
//! models are read just to find an order or payment (`ports::OrderFinder`). `origin` makes the origins of
//! commands, `rejected` turns rejections into problems, and `reply` makes the responses.

pub mod auth;
pub mod cart;
pub mod fields;
pub mod import;
pub mod inventory;
pub mod listing;
pub mod maintenance;
pub mod order_notes;
pub mod orders;
pub mod origin;
pub mod payments;
pub mod ports;
pub mod products;
pub mod rejected;
pub mod reply;
pub mod settled;
pub mod users;

pub use auth::accounts::Accounts;
pub use maintenance::{Maintenance, MaintenanceError};
pub use ports::{GuestOrder, OrderFinder, OrderOwner, Ports, RunTimers, Settings};
pub use settled::SettledOrders;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use souk_eventsourcing::CorrelationId;
use souk_http::correlation;
use souk_http::problem::ProblemBody;
use souk_http::routes::{ApiRouter, Route, Side};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

/// The API document without operations: title, version and security schemes.
#[derive(OpenApi)]
#[openapi(
    info(title = "Souk", description = "The backend of an online shop.", version = "v1"),
    components(schemas(ProblemBody)),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", bearer);
        let cart = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Cart-Token")));
        components.add_security_scheme("cart", cart);
    }
}

/// Returns the API document to which the routers add their operations.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Returns every write of the API, with its rules.
fn api() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .merge(products::routes::router())
        .merge(import::router())
        .merge(inventory::routes::router())
        .merge(cart::routes::router())
        .merge(cart::merge::router())
        .merge(orders::routes::router())
        .merge(order_notes::routes::router())
        .merge(payments::routes::router())
        .merge(payments::dead_letters::router())
        .merge(payments::webhook::router())
        .merge(orders::guests::router())
        .merge(auth::routes::router())
        .merge(auth::providers::router())
        .merge(users::routes::router())
        .merge(maintenance::routes::router())
}

/// Returns the rows of the route table for every write of the API.
pub fn routes() -> Vec<Route> {
    api().into_routes()
}

/// Returns the router of every write of the API.
pub fn router(ports: Ports) -> OpenApiRouter {
    api()
        .into_router()
        .route_layer(middleware::from_fn_with_state(ports.clone(), convert_correlation_id))
        .with_state(ports)
}

/// Converts the correlation id of a request to the form that the log holds.
async fn convert_correlation_id(State(ports): State<Ports>, mut request: Request, next: Next) -> Response {
    if let Some(id) = request.extensions_mut().get_mut::<CorrelationId>() {
        *id = correlation::in_log(&ports.keys.correlation, id);
    }
    next.run(request).await
}
