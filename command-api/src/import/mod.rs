//! `POST /api/admin/import/products`: import of many products at once.
//!
//! A line changes only the fields and variants that it names. A line that changes nothing writes nothing.
//! Lines of one product are imported in their order; lines of different products are imported concurrently. A
//! SKU may be in one line of a request only, and a line that contradicts an earlier line about the same
//! product is refused.

mod changes;
mod earlier;
pub mod elements;
mod import_line;
mod line;
mod lines;

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use souk_domain::text::truncate;
use souk_eventsourcing::{Actor, CorrelationId, Position};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::{Caller, Problem, StrictQuery};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::ports::Ports;

pub use changes::{CHANGES_MAX, FieldChange};
pub use earlier::ProductValues;
pub use line::ImportLine;

use earlier::SeenSkus;
use import_line::{ImportOptions, LineEffect};
use lines::BodyLine;

/// Largest number of lines in one request.
pub const LINES_MAX: usize = 2_000;
/// Largest number of characters of the reason for a refusal.
const REASON_CHARS_MAX: usize = 500;
/// Most products that are imported concurrently.
const CONCURRENT_MAX: usize = 64;

/// The result of importing a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineResult {
    /// Number of the line in the body, from 1. Blank lines are counted, but have no result. For an element of
    /// an array, it is the line on which the element begins.
    #[serde(default)]
    pub line: u64,
    /// Outcome: `created`, `changed`, `unchanged` or `refused`.
    pub outcome: LineOutcome,
    /// Id of the product. Absent for a product that a dry run would create. Absent for a refused line, unless
    /// the line contradicts an earlier line about the same product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Problem code, if the line was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Reason in words, if the line was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In a dry run: the fields that the line would change, at most 50 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub changes: Vec<FieldChange>,
    /// Other SKUs of the same product, which the line does not name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_skus: Vec<String>,
}

/// The outcome of a line. In a dry run, it is the outcome that an import would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LineOutcome {
    /// A new product was created.
    Created,
    /// An existing product was changed.
    Changed,
    /// The product already has everything that the line names.
    Unchanged,
    /// The line has an error; nothing was written.
    Refused,
}

/// The results of all lines of an import.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"lines": [{"line": 1, "outcome": "created", "id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5"}, {"line": 2, "outcome": "refused", "code": "sku-taken", "reason": "SKU 85123A belongs to another product"}], "position": "42"}))]
pub struct ImportResult {
    /// One result for each line that is not blank, in the order of the lines.
    pub lines: Vec<LineResult>,
    /// Position of the log. Send it as `X-Min-Position` with a read, to see these changes.
    pub position: String,
}

/// Query parameters of an import.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// True for a dry run: everything is checked, nothing is written, and the response lists what would
    /// change.
    #[serde(default)]
    dry_run: bool,
}

/// Returns the route of the import.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(import), rules(Access::Admin).ignores_idempotency_keys().long_timeout())
}

/// Imports products. The body has one JSON object on each line, or is one JSON array of objects. It is in
/// UTF-8, with or without a byte order mark. An object has the shape of the body of `POST /api/products`.
///
/// A product is found by any of its SKUs. A field that is absent from the line of an existing product keeps
/// its value: a line with `sku` and `price` changes only that price. Variants that the line does not name are
/// not changed. Attributes and options are changed by name; `null` removes one. An empty text clears a
/// description or a category. A new product needs `name`, and `price` for each variant; it is for sale unless
/// `active` is false. To replace a product, use `PUT /api/products/{id}`.
///
/// A price has `amount` in minor units, or `decimal`, such as `{"decimal":"12.50"}`. Without `currency`, it
/// is in the currency of the variant; if the variant is new, in the currency of the product; if the product
/// is new, in the currency of the shop.
///
/// A SKU may be in one line of a request only. If several lines name variants of one product, their fields of
/// the product must have the same values or be absent; a line with another value is refused.
///
/// A request has at most 2,000 lines. A refused line does not affect the other lines. A line that changes
/// nothing writes nothing, so an import may be sent again.
#[utoipa::path(post, path = "/api/admin/import/products", tag = "products",
    params(ImportQuery),
    request_body(content = String, content_type = "application/x-ndjson",
        example = "{\"name\":\"White hanging heart\",\"sku\":\"85123A\",\"price\":{\"amount\":255,\"currency\":\"GBP\"}}"),
    responses((status = 200, body = ImportResult)))]
pub async fn import(
    State(ports): State<Ports>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    StrictQuery(query): StrictQuery<ImportQuery>,
    body: Bytes,
) -> Result<Json<ImportResult>, Problem> {
    lines::check_content_type(&headers)?;
    let lines = lines::split_body(&body)?;
    let actor = caller.actor();
    let options = ImportOptions { actor, correlation_id: write.correlation_id, is_dry: query.dry_run };
    let (lines, position) = import_lines(&ports, &lines, &options).await;
    Ok(Json(ImportResult { lines, position: position.to_string() }))
}

/// Imports products from this process, without a request. Each line is a JSON object. Returns the results of
/// the lines and the position of the log.
pub async fn import_texts(
    ports: &Ports,
    lines: &[String],
    actor: Actor,
    correlation_id: CorrelationId,
    is_dry: bool,
) -> (Vec<LineResult>, Position) {
    let lines = (1..).zip(lines).map(|(number, line)| BodyLine { number, column: 1, bytes: line.as_bytes() });
    let lines: Vec<BodyLine> = lines.collect();
    import_lines(ports, &lines, &ImportOptions { actor, correlation_id, is_dry }).await
}

async fn import_lines(
    ports: &Ports,
    lines: &[BodyLine<'_>],
    options: &ImportOptions,
) -> (Vec<LineResult>, Position) {
    let mut results: Vec<Option<FinishedLine>> = Vec::new();
    let mut parsed = Vec::new();
    let mut seen = SeenSkus::default();
    for body_line in lines {
        let line = ImportLine::read(body_line.bytes).map_err(|problem| body_line.with_body_place(problem));
        let line = line.and_then(|line| match seen.record(&line, body_line.number) {
            Ok(()) => Ok(line),
            Err(error) => Err(line.problem(vec![error])),
        });
        match line {
            Ok(line) => {
                parsed.push(ParsedLine { index: results.len(), number: body_line.number, line });
                results.push(None);
            }
            Err(problem) => results.push(Some(FinishedLine::refused(problem, None))),
        }
    }
    let groups = futures_util::stream::iter(group_by_product(ports, parsed).await);
    let groups = groups.map(|group| import_group(ports, group, options));
    let mut groups = groups.buffer_unordered(CONCURRENT_MAX);
    while let Some(group) = groups.next().await {
        for (index, result) in group {
            results[index] = Some(result);
        }
    }
    let mut position = Position::START;
    let results = lines.iter().zip(results).filter_map(|(line, finished)| Some((line, finished?)));
    let results = results.map(|(line, finished)| {
        if let Ok(imported) = &finished.result {
            position = position.max(imported.position);
        }
        line_result(line.number, finished)
    });
    (results.collect(), position)
}

/// The result of a line, before it is converted to the response.
struct FinishedLine {
    result: Result<LineEffect, Problem>,
    /// Id of the product, if the line was refused because it contradicts an earlier line about that product.
    product: Option<String>,
}

impl FinishedLine {
    fn refused(problem: Problem, product: Option<String>) -> Self {
        Self { result: Err(problem), product }
    }
}

/// Imports the lines of one product in their order. Returns the result of each line with its index.
async fn import_group(ports: &Ports, group: Group, options: &ImportOptions) -> Vec<(usize, FinishedLine)> {
    let mut results = Vec::with_capacity(group.lines.len());
    let mut values = ProductValues::default();
    for ParsedLine { index, number, line } in group.lines {
        let finished = match values.conflict(&line) {
            Some(error) => FinishedLine::refused(line.problem(vec![error]), group.product.clone()),
            None => FinishedLine { result: import_line::import(ports, &line, options).await, product: None },
        };
        // The values of a refused line don't count.
        if finished.result.is_ok() {
            values.record(&line, number);
        }
        results.push((index, finished));
    }
    results
}

fn line_result(line: u64, finished: FinishedLine) -> LineResult {
    match finished.result {
        Ok(LineEffect { outcome, id, changes, other_skus, .. }) => {
            let id = id.map(|id| id.to_string());
            LineResult { line, outcome, id, code: None, reason: None, changes, other_skus }
        }
        Err(problem) => LineResult {
            line,
            outcome: LineOutcome::Refused,
            id: finished.product,
            code: Some(problem.code().to_owned()),
            reason: Some(truncate(problem.detail(), REASON_CHARS_MAX)),
            changes: Vec::new(),
            other_skus: Vec::new(),
        },
    }
}

/// A parsed line and its place in the request.
struct ParsedLine {
    /// Index among the lines that are not blank, from 0.
    index: usize,
    /// Number of the line in the body, from 1.
    number: u64,
    line: ImportLine,
}

/// The lines of one product.
struct Group {
    /// Id of the product; `None` for a new product.
    product: Option<String>,
    lines: Vec<ParsedLine>,
}

/// Groups the lines by product, so that no two lines of a product are imported at the same time. A line of a
/// new product is a group of its own, since its SKUs are in no other line. If a lookup fails, the line is
/// also a group of its own: its import repeats the lookup and reports the error.
async fn group_by_product(ports: &Ports, lines: Vec<ParsedLine>) -> Vec<Group> {
    let products = futures_util::stream::iter(lines).map(|line| async move {
        let product = import_line::find(ports, &line.line).await.unwrap_or_default();
        (product.owner.map(|owner| owner.id().to_owned()), line)
    });
    let mut products = products.buffered(CONCURRENT_MAX);
    let mut group_indexes: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    while let Some((product, line)) = products.next().await {
        let next_index = groups.len();
        let index = match &product {
            Some(product) => *group_indexes.entry(product.clone()).or_insert(next_index),
            None => next_index,
        };
        if index == next_index {
            groups.push(Group { product, lines: Vec::new() });
        }
        groups[index].lines.push(line);
    }
    groups
}
