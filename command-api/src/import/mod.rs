//! `POST /api/admin/import/products`: many products at once, only what differs.
//!
//! A line changes the fields and variants that it names and leaves all others as they are. What is there already is
//! not written again. Lines of one product are taken one after another, in their order, those of different products
//! side by side. A SKU stands in a request once, and lines that give one product different values are refused.

mod changes;
pub mod elements;
mod given;
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
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::{Caller, Problem, StrictQuery};
use utoipa::{IntoParams, ToSchema};

use crate::shop::Shop;

pub use changes::{CHANGES_MAX, FieldChange};
pub use given::GivenValues;
pub use line::ImportLine;

use given::SeenSkus;
use lines::BodyLine;
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
    /// The line of the body that the product begins on, from 1. Blank lines are counted and have no result.
    #[serde(default)]
    pub line: u64,
    /// `created`, `changed`, `unchanged` or `refused`.
    pub outcome: LineOutcome,
    /// The product; absent for a product that a dry run would create, and for a refused line, but for one that gives a
    /// product another value than an earlier line.
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
    /// The SKUs of the product that the line does not name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_skus: Vec<String>,
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
#[schema(example = json!({"lines": [{"line": 1, "outcome": "created", "id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5"}, {"line": 2, "outcome": "refused", "code": "sku-taken", "reason": "SKU 85123A belongs to another product"}], "position": "42"}))]
pub struct ImportResult {
    /// One for each line that is not blank, in order.
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
/// A product is found by any of its SKUs. Of a product that is there, a field that is absent stays as it is: a line with
/// `sku` and `price` changes that price only. Variants that are not named stay. Attributes and options are changed by
/// name; `null` removes one. An empty text clears a description or a category. A new product needs `name`, and `price`
/// for each variant; it is on sale unless `active` is false. To replace a product, use `PUT /api/products/{id}`.
///
/// A price has `amount` in minor units, or `decimal`, as in `{"decimal":"12.50"}`. Without `currency` it is in the
/// currency that the variant has, or else its product, or else the shop.
///
/// A SKU stands in a request once. Lines for variants of one product give its own fields the same values, or leave them
/// out; a line that gives another value is refused.
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
    lines::check_content_type(&headers)?;
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
    let lines = (1..).zip(lines).map(|(number, line)| BodyLine { number, column: 1, bytes: line.as_bytes() });
    let lines: Vec<BodyLine> = lines.collect();
    import_lines(shop, &lines, &Run { actor, correlation_id, is_dry }).await
}

async fn import_lines(shop: &Shop, lines: &[BodyLine<'_>], run: &Run) -> (Vec<LineResult>, Position) {
    let mut results: Vec<Option<LineDone>> = Vec::new();
    let mut read = Vec::new();
    let mut seen = SeenSkus::default();
    for body_line in lines {
        let line = ImportLine::read(body_line.bytes).map_err(|problem| body_line.placed(problem));
        let line = line.and_then(|line| match seen.note(&line, body_line.number) {
            Ok(()) => Ok(line),
            Err(error) => Err(line.problem(vec![error])),
        });
        match line {
            Ok(line) => {
                read.push(Placed { index: results.len(), number: body_line.number, line });
                results.push(None);
            }
            Err(problem) => results.push(Some(LineDone::refused(problem, None))),
        }
    }
    let groups = futures_util::stream::iter(by_product(shop, read).await);
    let groups = groups.map(|group| import_group(shop, group, run));
    let mut groups = groups.buffer_unordered(CONCURRENT_MAX);
    while let Some(group) = groups.next().await {
        for (index, result) in group {
            results[index] = Some(result);
        }
    }
    let mut reached = Position::START;
    let results = lines.iter().zip(results).filter_map(|(line, done)| Some((line, done?)));
    let results = results.map(|(line, done)| {
        if let Ok(done) = &done.result {
            reached = reached.max(done.position);
        }
        shown(line.number, done)
    });
    (results.collect(), reached)
}

/// What became of a line.
struct LineDone {
    result: Result<Done, Problem>,
    /// The product of a refused line, where the refusal is about what earlier lines say of it.
    product: Option<String>,
}

impl LineDone {
    fn refused(problem: Problem, product: Option<String>) -> Self {
        Self { result: Err(problem), product }
    }
}

/// Imports the lines of one product, one after another.
async fn import_group(shop: &Shop, group: Group, run: &Run) -> Vec<(usize, LineDone)> {
    let mut done = Vec::with_capacity(group.lines.len());
    let mut given = GivenValues::default();
    for Placed { index, number, line } in group.lines {
        let line_done = match given.conflict(&line) {
            Some(error) => LineDone::refused(line.problem(vec![error]), group.product.clone()),
            None => LineDone { result: one::import(shop, &line, run).await, product: None },
        };
        // A line that was refused says nothing of the product.
        if line_done.result.is_ok() {
            given.note(&line, number);
        }
        done.push((index, line_done));
    }
    done
}

fn shown(line: u64, done: LineDone) -> LineResult {
    match done.result {
        Ok(Done { outcome, id, changes, other_skus, .. }) => {
            let id = id.map(|id| id.to_string());
            LineResult { line, outcome, id, code: None, reason: None, changes, other_skus }
        }
        Err(problem) => LineResult {
            line,
            outcome: LineOutcome::Refused,
            id: done.product,
            code: Some(problem.code().to_owned()),
            reason: Some(cut(problem.detail(), REASON_CHARS_MAX)),
            changes: Vec::new(),
            other_skus: Vec::new(),
        },
    }
}

/// A line and its place in the request.
struct Placed {
    index: usize,
    number: u64,
    line: ImportLine,
}

/// The lines of one product.
struct Group {
    /// The id of the product; none for one that is new.
    product: Option<String>,
    lines: Vec<Placed>,
}

/// The lines of each product together, so that one does not meet another's write. A failed lookup is left to the
/// import of the line, which meets it again and says so. A SKU stands in one line only, so lines without a product
/// are of different ones.
async fn by_product(shop: &Shop, lines: Vec<Placed>) -> Vec<Group> {
    let owners = futures_util::stream::iter(lines).map(|placed| async move {
        let found = one::find(shop, &placed.line).await.unwrap_or_default();
        (found.owner.map(|owner| owner.id().to_owned()), placed)
    });
    let mut owners = owners.buffered(CONCURRENT_MAX);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    while let Some((product, placed)) = owners.next().await {
        let new = groups.len();
        let place = match &product {
            Some(product) => *places.entry(product.clone()).or_insert(new),
            None => new,
        };
        if place == new {
            groups.push(Group { product, lines: Vec::new() });
        }
        groups[place].lines.push(placed);
    }
    groups
}
