//! `POST /api/products`, `PUT | DELETE /api/products/{id}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::ProductId;
use souk_domain::product::{Product, ProductCommand};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::shapes::{WriteResponse, Written};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::reply::Reply;

use super::request::{ProductRequest, short_pointer};
use super::write::write_product;

/// Creates a product in the catalogue.
#[utoipa::path(post, path = "/api/products", tag = "products", request_body = ProductRequest,
    responses((status = 201, body = Written, headers(("Location" = String)))))]
pub async fn create(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ProductRequest>,
) -> Reply {
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let is_short = body.value.sku.is_some();
    let content = body.value.content().map_err(Problem::fields)?;
    let id = ProductId(write.origin.command_id.derived_id("product"));
    let request = write.request(Product::stream(id), ProductCommand::Create { content, epoch: 0 }).creating();
    let (outcome, position) =
        write_product(&ports, request).await.map_err(|problem| with_request_pointers(problem, is_short))?;
    Ok(WriteResponse::created("/api/products", &id, outcome.revision, position))
}

/// Replaces the whole content of a product.
#[utoipa::path(put, path = "/api/products/{id}", tag = "products", request_body = ProductRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn replace(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ProductRequest>,
) -> Reply {
    let id = product_id(&id)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&id], &body.raw);
    let is_short = body.value.sku.is_some();
    let content = body.value.content().map_err(Problem::fields)?;
    let request = write.request(Product::stream(id), ProductCommand::Replace { content, epoch: 0 });
    let (outcome, position) =
        write_product(&ports, request).await.map_err(|problem| with_request_pointers(problem, is_short))?;
    Ok(WriteResponse::written(StatusCode::OK, &id, outcome.revision, position))
}

/// Withdraws a product from the catalogue. This cannot be undone.
#[utoipa::path(delete, path = "/api/products/{id}", tag = "products",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn withdraw(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Reply {
    let id = product_id(&id)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&id], &[]);
    let request = write.request(Product::stream(id), ProductCommand::Withdraw);
    let (outcome, position) = write_product(&ports, request).await?;
    Ok(WriteResponse::written(StatusCode::OK, &id, outcome.revision, position))
}

/// If the request is short (it has `sku` and `price` at the top level), changes the pointers of the problem
/// to this form.
fn with_request_pointers(problem: Problem, is_short: bool) -> Problem {
    if is_short { problem.with_pointers(short_pointer) } else { problem }
}

/// Returns the routes that write products.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(create), rules(Access::Admin).without_revision())
        .route(routes!(replace), Access::Admin)
        .route(routes!(withdraw), Access::Admin)
}

fn product_id(id: &str) -> Result<ProductId, Problem> {
    let not_found = |_| Problem::new("not-found", "there is no such product");
    ProductId::parse(id).map_err(not_found)
}
