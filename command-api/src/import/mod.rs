//! `POST /api/admin/import/products`: many products at once, only what differs.
//!
//! A line changes the fields and variants that it names and leaves all others as they are. What is there already is
//! not written again. Lines of one product are taken one after another, in their order, those of different products
//! side by side.

mod changes;
pub mod elements;
mod line;
mod lines;
mod one;

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use souk_domain::text::cut;
use souk_eventsourcing::{Actor, CorrelationId, Position};
use souk_web::headers::WriteHeaders;
use souk_web::problem::ProblemBody;
use souk_web::{Caller, Problem, StrictQuery};
use utoipa::{IntoParams, ToSchema};

use crate::listing;
use crate::shop::Shop;

pub use changes::{CHANGES_MAX, FieldChange};
pub use line::ImportLine;

use one::{Done, Run};

/// Lines of one request.
pub const LINES_MAX: usize = 2_000;
/// Characters of the words of a refusal.
const REASON_CHARS_MAX: usize = 500;
/// Products that are written at once.
const CONCURRENT_MAX: usize = 64;

/// The result of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineResult {
    /// `created`, `changed`, `unchanged` or `refused`.
    pub outcome: LineOutcome,
    /// The product; absent for a refused line, and for a product that a dry run would create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A refusal in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In a dry run, the fields that the line would change, at most 50 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub changes: Vec<FieldChange>,
}

/// The result of a line, in a word. In a dry run it is what would come of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LineOutcome {
    /// The product is new.
    Created,
    /// The product differed.
    Changed,
    /// The product has all of it already.
    Unchanged,
    /// The line is not allowed.
    Refused,
}

/// The results of all lines.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"outcome": "created", "id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5"}, {"outcome": "refused", "code": "sku-taken", "reason": "SKU 85123A belongs to another product"}], "position": "42"}))]
pub struct ImportResult {
    /// One for each line, in order.
    pub lines: Vec<LineResult>,
    /// The position that the log has reached.
    pub position: String,
}

/// Parameters of an import.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// True to check everything, write nothing, and list what would change.
    #[serde(default)]
    dry_run: bool,
}

/// Imports products: one JSON object a line, or one JSON array, in UTF-8 with or without BOM. An object has the shape
/// of `POST /api/products`.
///
/// A product is found by its first SKU. Of a product that is there, a field that is absent stays as it is: a line with
/// `sku` and `price` changes that price only. Variants that are not named stay. Attributes and options are changed by
/// name; `null` removes one. An empty text clears a description or a category. A new product needs `name`, and `price`
/// for each variant; it is on sale unless `active` is false. To replace a product, use `PUT /api/products/{id}`.
///
/// A price has `amount` in minor units, or `decimal`, as in `{"decimal":"12.50"}`. Without `currency` it is in the
/// currency that the variant has, or else its product, or else the shop.
///
/// At most 2,000 lines. A line that is refused leaves the others alone. A line that changes nothing writes nothing, so
/// an import may be sent again.
#[utoipa::path(post, path = "/api/admin/import/products", tag = "products",
    params(ImportQuery),
    request_body(content = String, content_type = "application/x-ndjson",
        example = "{\"name\":\"White hanging heart\",\"sku\":\"85123A\",\"price\":{\"amount\":255,\"currency\":\"GBP\"}}"),
    responses((status = 200, body = ImportResult), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn import(
    State(shop): State<Shop>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    StrictQuery(query): StrictQuery<ImportQuery>,
    body: Bytes,
) -> Result<Json<ImportResult>, Problem> {
    lines::check_charset(&headers)?;
    let lines = lines::of_body(&body)?;
    let run = Run { actor: caller.actor(), correlation_id: write.correlation_id, is_dry: query.dry_run };
    let (lines, position) = import_lines(&shop, &lines, &run).await;
    Ok(Json(ImportResult { lines, position: position.to_string() }))
}

/// Imports products from this process, each a line of JSON.
pub async fn import_texts(
    shop: &Shop,
    lines: &[String],
    actor: Actor,
    correlation_id: CorrelationId,
    is_dry: bool,
) -> (Vec<LineResult>, Position) {
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    import_lines(shop, &lines, &Run { actor, correlation_id, is_dry }).await
}

async fn import_lines(shop: &Shop, lines: &[&[u8]], run: &Run) -> (Vec<LineResult>, Position) {
    let mut results: Vec<Option<Result<Done, Problem>>> = Vec::new();
    let mut read = Vec::new();
    for line in lines {
        match ImportLine::read(line) {
            Ok(line) => {
                read.push((results.len(), line));
                results.push(None);
            }
            Err(problem) => results.push(Some(Err(problem))),
        }
    }
    let groups = futures_util::stream::iter(by_product(shop, read).await);
    let groups = groups.map(|group| async move {
        let mut done = Vec::with_capacity(group.len());
        for (index, line) in group {
            done.push((index, one::import(shop, &line, run).await));
        }
        done
    });
    let mut groups = groups.buffer_unordered(CONCURRENT_MAX);
    while let Some(group) = groups.next().await {
        for (index, result) in group {
            results[index] = Some(result);
        }
    }
    let mut reached = Position::START;
    let results = results.into_iter().flatten().map(|result| {
        if let Ok(done) = &result {
            reached = reached.max(done.position);
        }
        shown(result)
    });
    (results.collect(), reached)
}

fn shown(result: Result<Done, Problem>) -> LineResult {
    match result {
        Ok(Done { outcome, id, changes, .. }) => {
            let id = id.map(|id| id.to_string());
            LineResult { outcome, id, code: None, reason: None, changes }
        }
        Err(problem) => LineResult {
            outcome: LineOutcome::Refused,
            id: None,
            code: Some(problem.code().to_owned()),
            reason: Some(cut(problem.detail(), REASON_CHARS_MAX)),
            changes: Vec::new(),
        },
    }
}

/// Lines with their places in the request.
type Placed = Vec<(usize, ImportLine)>;

/// The lines of each product together, so that one does not meet another's write. A failed lookup is left to the
/// import of the line, which meets it again and says so.
async fn by_product(shop: &Shop, lines: Placed) -> Vec<Placed> {
    let owners = futures_util::stream::iter(lines).map(|(index, line)| async move {
        let sku = line.first_sku().cloned();
        let owner = match &sku {
            Some(sku) => listing::owner(shop, sku).await.ok().flatten(),
            None => None,
        };
        let of_sku = || sku.map(|sku| format!("sku {sku}"));
        (owner.map(|owner| owner.to_string()).or_else(of_sku), index, line)
    });
    let mut owners = owners.buffered(CONCURRENT_MAX);
    let mut places: HashMap<Option<String>, usize> = HashMap::new();
    let mut groups: Vec<Placed> = Vec::new();
    while let Some((owner, index, line)) = owners.next().await {
        let place = *places.entry(owner).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push((index, line));
    }
    groups
}
