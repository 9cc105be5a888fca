//! `POST /api/products`, `PUT | DELETE /api/products/{id}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::ProductId;
use souk_domain::product::{Product, ProductCommand};
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{WriteAnswer, Written};
use souk_http::{Caller, Problem, StrictJson};

use crate::origin::Write;
use crate::shop::Shop;

use super::request::{ProductRequest, place_at_the_top};
use super::write::write;

type Answer = Result<WriteAnswer<Written>, Problem>;

/// Puts a product into the catalogue.
#[utoipa::path(post, path = "/api/products", tag = "products", request_body = ProductRequest,
    responses((status = 201, body = Written, headers(("Location" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn create(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ProductRequest>,
) -> Answer {
    let came = Write::new(&shop, &caller, &headers, "POST /api/products", &body.raw);
    let is_short = body.value.sku.is_some();
    let content = body.value.content().map_err(Problem::fields)?;
    let id = ProductId(came.origin.command_id.creates("product"));
    let request = came.request(Product::stream(id), ProductCommand::Create { content, epoch: 0 }).creating();
    let (outcome, position) = write(&shop, request).await.map_err(|wrong| placed(wrong, is_short))?;
    Ok(WriteAnswer::created("/api/products", &id, outcome.revision, position))
}

/// Replaces all that is said of a product.
#[utoipa::path(put, path = "/api/products/{id}", tag = "products", request_body = ProductRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn replace(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ProductRequest>,
) -> Answer {
    let id = product_id(&id)?;
    let came = Write::new(&shop, &caller, &headers, &format!("PUT /api/products/{id}"), &body.raw);
    let is_short = body.value.sku.is_some();
    let content = body.value.content().map_err(Problem::fields)?;
    let request = came.request(Product::stream(id), ProductCommand::Replace { content, epoch: 0 });
    let (outcome, position) = write(&shop, request).await.map_err(|wrong| placed(wrong, is_short))?;
    Ok(WriteAnswer::written(StatusCode::OK, &id, outcome.revision, position))
}

/// Takes a product out of the catalogue for good.
#[utoipa::path(delete, path = "/api/products/{id}", tag = "products",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn withdraw(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Answer {
    let id = product_id(&id)?;
    let came = Write::new(&shop, &caller, &headers, &format!("DELETE /api/products/{id}"), &[]);
    let request = came.request(Product::stream(id), ProductCommand::Withdraw);
    let (outcome, position) = write(&shop, request).await?;
    Ok(WriteAnswer::written(StatusCode::OK, &id, outcome.revision, position))
}

/// A problem whose fields stand where the request has them.
fn placed(problem: Problem, is_short: bool) -> Problem {
    if is_short { problem.with_pointers(place_at_the_top) } else { problem }
}

fn product_id(id: &str) -> Result<ProductId, Problem> {
    let absent = |_| Problem::new("not-found", "there is no such product");
    id.parse().map(ProductId).map_err(absent)
}
