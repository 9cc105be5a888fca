//! `POST /api/admin/import/products`: many products at once, only what differs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use souk_domain::product::{Product, ProductCommand};
use souk_domain::text::cut;
use souk_domain::{FieldError, ProductId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandId, CommandRequest, CorrelationId, Position};
use souk_web::body::{parse, read};
use souk_web::headers::WriteHeaders;
use souk_web::problem::ProblemBody;
use souk_web::{Caller, Problem};
use utoipa::ToSchema;

use crate::listing;
use crate::products::request::ProductRequest;
use crate::products::write::write;
use crate::shop::Shop;

/// Lines of one request.
pub const LINES_MAX: usize = 2_000;
/// Characters of the words of a refusal.
const REASON_CHARS_MAX: usize = 500;
/// Products that are written at once.
const CONCURRENT_MAX: usize = 64;

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineResult {
    /// `created`, `changed`, `unchanged` or `refused`.
    pub outcome: LineOutcome,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A refusal in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a line, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LineOutcome {
    /// It is new.
    Created,
    /// It differed.
    Changed,
    /// It was there.
    Unchanged,
    /// It can't be.
    Refused,
}

/// What became of all lines.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"outcome": "created", "id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5"}, {"outcome": "refused", "code": "sku-taken", "reason": "SKU 85123A belongs to another product"}], "position": "42"}))]
pub struct ImportResult {
    /// One for each line, in order.
    pub lines: Vec<LineResult>,
    /// How far the log is.
    pub position: String,
}

/// Imports products: one JSON object a line, in the shape of `POST /api/products`. A product is found by
/// its first SKU; what is there already is left alone. At most 2,000 lines.
#[utoipa::path(post, path = "/api/admin/import/products", tag = "products",
    request_body(content = String, content_type = "application/x-ndjson",
        example = "{\"name\":\"White hanging heart\",\"sku\":\"85123A\",\"price\":{\"amount\":255,\"currency\":\"GBP\"}}"),
    responses((status = 200, body = ImportResult), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn import(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: Bytes,
) -> Result<Json<ImportResult>, Problem> {
    let actor = caller.actor();
    let lines = || body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    if lines().nth(LINES_MAX).is_some() {
        let detail =
            format!("at most {LINES_MAX} lines are allowed at once; send the rest in another request");
        return Err(Problem::field("", "too-many", detail));
    }
    let lines: Vec<Result<ProductRequest, Problem>> = lines().map(parse).collect();
    let (lines, position) = import_each(&shop, lines, &actor, &headers.correlation_id).await;
    Ok(Json(ImportResult { lines, position: position.to_string() }))
}

/// Imports products, each in the shape of `POST /api/products`.
pub async fn import_values(
    shop: &Shop,
    products: Vec<serde_json::Value>,
    actor: &Actor,
    correlation_id: &CorrelationId,
) -> (Vec<LineResult>, Position) {
    let lines = products.iter().map(read).collect();
    import_each(shop, lines, actor, correlation_id).await
}

async fn import_each(
    shop: &Shop,
    lines: Vec<Result<ProductRequest, Problem>>,
    actor: &Actor,
    correlation_id: &CorrelationId,
) -> (Vec<LineResult>, Position) {
    let one = |line: Result<ProductRequest, Problem>| async move {
        let origin = Origin::new(shop.clock.new_id(), actor.clone(), correlation_id.clone());
        match line {
            Ok(product) => import_one(shop, product, origin).await,
            Err(problem) => Err(problem),
        }
    };
    let results: Vec<_> = futures_util::stream::iter(lines).map(one).buffered(CONCURRENT_MAX).collect().await;
    let mut reached = Position::START;
    let lines = results.into_iter().map(|result| match result {
        Ok((outcome, id, position)) => {
            reached = reached.max(position);
            LineResult { outcome, id: Some(id.to_string()), code: None, reason: None }
        }
        Err(problem) => LineResult {
            outcome: LineOutcome::Refused,
            id: None,
            code: Some(problem.code().to_owned()),
            reason: Some(cut(problem.detail(), REASON_CHARS_MAX)),
        },
    });
    (lines.collect(), reached)
}

async fn import_one(
    shop: &Shop,
    line: ProductRequest,
    origin: Origin,
) -> Result<(LineOutcome, ProductId, Position), Problem> {
    let content = line.content().map_err(Problem::fields)?;
    let first = content.variants.first().map(|variant| variant.sku.clone());
    let first = first
        .ok_or_else(|| Problem::fields(vec![FieldError::new("/variants", "missing", "a SKU is needed")]))?;
    let owner = listing::owner(shop, &first).await?;
    let known = match &owner {
        Some(stream) => shop.products.load(stream).await?,
        None => None,
    };
    if let (Some(stream), Some(known)) = (&owner, known) {
        let id = stream
            .id()
            .parse()
            .map(ProductId)
            .map_err(|_| Problem::internal(&"a SKU belongs to no product"))?;
        if known.state.has_content(&content) {
            return Ok((LineOutcome::Unchanged, id, known.position));
        }
        let command = ProductCommand::Replace { content, epoch: 0 };
        let (_, position) = write(shop, CommandRequest::new(Product::stream(id), command, origin)).await?;
        return Ok((LineOutcome::Changed, id, position));
    }
    // A claim whose product was never written is taken over by the product it was made for.
    let id = match owner.as_ref().and_then(|stream| stream.id().parse().ok()) {
        Some(id) => ProductId(id),
        None => ProductId(CommandId(origin.command_id.0).creates("product")),
    };
    let command = ProductCommand::Create { content, epoch: 0 };
    let (_, position) = write(shop, CommandRequest::new(Product::stream(id), command, origin)).await?;
    Ok((LineOutcome::Created, id, position))
}
