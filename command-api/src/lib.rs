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
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

/// Returns the router of every write of the API.
pub fn router(ports: Ports) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(products::routes::create))
        .routes(routes!(products::routes::replace, products::routes::withdraw))
        .routes(routes!(import::import))
        .routes(routes!(inventory::routes::set_stock))
        .routes(routes!(inventory::routes::reserve))
        .routes(routes!(inventory::routes::release))
        .routes(routes!(inventory::routes::confirm))
        .routes(routes!(cart::routes::add_item))
        .routes(routes!(cart::routes::change_item, cart::routes::remove_item))
        .routes(routes!(cart::routes::clear))
        .routes(routes!(cart::merge::merge))
        .routes(routes!(orders::routes::place))
        .routes(routes!(orders::routes::cancel))
        .routes(routes!(orders::routes::confirm))
        .routes(routes!(orders::routes::ship))
        .routes(routes!(orders::routes::correct_shipment))
        .routes(routes!(orders::routes::deliver))
        .routes(routes!(orders::routes::take_back))
        .routes(routes!(orders::routes::change_address))
        .routes(routes!(orders::routes::run_timers))
        .routes(routes!(order_notes::routes::write))
        .routes(routes!(order_notes::routes::rewrite, order_notes::routes::remove))
        .routes(routes!(payments::routes::request))
        .routes(routes!(payments::routes::refund))
        .routes(routes!(payments::dead_letters::requeue))
        .routes(routes!(payments::dead_letters::skip))
        .routes(routes!(payments::webhook::webhook))
        .routes(routes!(orders::guests::erase))
        .routes(routes!(auth::routes::sign_up))
        .routes(routes!(auth::routes::make_admin))
        .routes(routes!(auth::routes::login))
        .routes(routes!(auth::routes::refresh))
        .routes(routes!(auth::routes::logout))
        .routes(routes!(auth::routes::validate))
        .routes(routes!(auth::routes::change_password))
        .routes(routes!(auth::routes::reset_password))
        .routes(routes!(auth::routes::confirm_reset))
        .routes(routes!(auth::routes::verify_email))
        .routes(routes!(auth::routes::audit))
        .routes(routes!(auth::routes::key_set))
        .routes(routes!(auth::providers::start))
        .routes(routes!(auth::providers::callback))
        .routes(routes!(auth::providers::unlink))
        .routes(routes!(auth::providers::exchange))
        .routes(routes!(users::routes::change_profile, users::routes::erase_me))
        .routes(routes!(users::routes::add_address))
        .routes(routes!(users::routes::change_address, users::routes::remove_address))
        .routes(routes!(users::routes::set_default_address))
        .routes(routes!(users::routes::change_preferences))
        .routes(routes!(users::routes::erase_customer))
        .routes(routes!(maintenance::routes::retry))
        .routes(routes!(maintenance::routes::skip))
        .routes(routes!(maintenance::routes::switch))
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
