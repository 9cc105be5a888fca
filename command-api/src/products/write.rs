//! Writing a product: its new SKUs are claimed before, and its removed SKUs are released after.
//!
//! A crash in between leaves a claim on a SKU that the product does not have; the sweep of claims releases
//! it.

use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::{Content, Product, ProductCommand, ProductEvent, ProductRejection, ProductState};
use souk_domain::{FieldError, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    CommandError, CommandId, CommandRequest, Context, Decider, Loaded, Outcome, Position,
};
use souk_http::Problem;

use crate::ports::Ports;
use crate::rejected::{problem, product_problem};

/// Attempts of a write whose product gives up SKUs at the same time. Each attempt claims the new SKUs again.
const ATTEMPTS_MAX: usize = 3;

/// The outcome of a write, and the highest position of all events that were written for it.
type ProductOutcome = Result<(Outcome<Product>, Position), Problem>;

/// Claims the new SKUs of the product, executes the command, and releases the SKUs that the product no longer
/// has.
pub async fn write_product(ports: &Ports, request: CommandRequest<ProductCommand>) -> ProductOutcome {
    if request.repeatable {
        let found = ports
            .aggregates
            .products
            .find(&request.stream, &request.origin)
            .await
            .map_err(product_problem)?;
        if let Some(found) = found {
            return repeat(ports, request, &found).await;
        }
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = ports.aggregates.products.load(&request.stream).await?;
        let epoch = before.as_ref().map_or(0, |before| before.state.epoch());
        let command = request.command.clone().in_epoch(epoch);
        let request = CommandRequest { command, ..request.clone() };
        if is_without_effect(ports, before.as_ref(), &request) {
            let outcome = ports.aggregates.products.execute(request).await.map_err(product_problem)?;
            return Ok(highest(outcome, Position::START));
        }
        let owner = request.stream.to_string();
        let before = before.map(|before| before.state).unwrap_or_default();
        let claimed = claim_new(ports, &before, &request, &owner, epoch).await?;
        let origin = request.origin.clone();
        match ports.aggregates.products.execute(request).await {
            Ok(outcome) => {
                let removed = before.skus().filter(|sku| outcome.state.variant(sku).is_none());
                let released = release(ports, removed, &owner, outcome.state.epoch(), &origin).await?;
                return Ok(highest(outcome, claimed.max(released)));
            }
            Err(CommandError::Rejected(ProductRejection::Fenced)) => {}
            Err(error) => return Err(product_problem(error)),
        }
    }
    Err(product_problem(CommandError::Rejected(ProductRejection::Fenced)))
}

fn highest(outcome: Outcome<Product>, others: Position) -> (Outcome<Product>, Position) {
    let position = outcome.position.max(others);
    (outcome, position)
}

/// Handles a repeated request. It claims nothing, and releases the SKUs that the first request removed: a
/// crash may have prevented that.
async fn repeat(
    ports: &Ports,
    request: CommandRequest<ProductCommand>,
    found: &FoundCommand,
) -> ProductOutcome {
    let owner = request.stream.to_string();
    let origin = request.origin.clone();
    let outcome = ports.aggregates.products.execute(request).await.map_err(product_problem)?;
    let removed = if found.first.is_noted() {
        Vec::new()
    } else {
        match found.first.decode().map_err(|error| Problem::internal(&error))? {
            ProductEvent::Changed(event) => event.removed_skus,
            ProductEvent::Withdrawn(event) => event.removed_skus,
            ProductEvent::Created(_) | ProductEvent::Fenced(_) => Vec::new(),
        }
    };
    let removed = removed.iter().filter(|sku| outcome.state.variant(sku).is_none());
    let released = release(ports, removed, &owner, outcome.state.epoch(), &origin).await?;
    Ok(highest(outcome, released))
}

/// Returns true if the command would be refused or changes nothing. Then no SKU is claimed for it.
fn is_without_effect(
    ports: &Ports,
    before: Option<&Loaded<Product>>,
    request: &CommandRequest<ProductCommand>,
) -> bool {
    let revision = before.map(|at| at.revision);
    let is_other_revision = request.if_match.as_ref().is_some_and(|required| !required.is_met_by(revision));
    let context = Context { now: ports.clock.now(), command_id: request.origin.command_id };
    let empty = ProductState::default();
    let state = before.map_or(&empty, |before| &*before.state);
    is_other_revision
        || !matches!(Product::decide(state, &request.command, &context), Ok(events) if !events.is_empty())
}

/// Claims the SKUs that the product does not have yet. If another product has one of them, none is claimed.
async fn claim_new(
    ports: &Ports,
    before: &ProductState,
    request: &CommandRequest<ProductCommand>,
    owner: &str,
    epoch: u64,
) -> Result<Position, Problem> {
    let Some(content) = request.command.content() else { return Ok(Position::START) };
    let new = new_skus_of(ports, before, content, owner).await?;
    let mut highest = Position::START;
    for (index, sku) in new {
        let command = ClaimCommand::Claim { owner: owner.to_owned(), epoch };
        let request = CommandRequest::new(Claim::of_sku(sku), command, new_origin(ports, &request.origin));
        match ports.aggregates.claims.execute(request).await {
            Ok(outcome) => highest = highest.max(outcome.position),
            Err(CommandError::Rejected(_)) => return Err(sku_taken(sku, index)),
            Err(error) => return Err(problem(error)),
        }
    }
    Ok(highest)
}

/// Returns the SKUs of a content that the product does not have yet, as [`new_skus`] does.
pub async fn new_skus_of<'a>(
    ports: &Ports,
    before: &ProductState,
    content: &'a Content,
    owner: &str,
) -> Result<Vec<(usize, &'a Sku)>, Problem> {
    let skus: Vec<&Sku> = content.variants.iter().map(|variant| &variant.sku).collect();
    new_skus(ports, before, &skus, owner).await
}

/// Returns those of the SKUs that the product does not have yet, each with its index. Refuses a SKU that
/// another product has claimed.
pub async fn new_skus<'a>(
    ports: &Ports,
    before: &ProductState,
    skus: &[&'a Sku],
    owner: &str,
) -> Result<Vec<(usize, &'a Sku)>, Problem> {
    let indexed = skus.iter().copied().enumerate();
    let new: Vec<(usize, &'a Sku)> = indexed.filter(|(_, sku)| before.variant(sku).is_none()).collect();
    for (index, sku) in &new {
        let claim = ports.aggregates.claims.load(&Claim::of_sku(sku)).await?;
        if claim.is_some_and(|claim| claim.state.holder.as_ref().is_some_and(|holder| holder.owner != owner))
        {
            return Err(sku_taken(sku, *index));
        }
    }
    Ok(new)
}

/// Returns the problem for a variant whose SKU another product has.
fn sku_taken(sku: &Sku, index: usize) -> Problem {
    let detail = format!("SKU {sku} belongs to another product");
    let place = FieldError::new(format!("/variants/{index}/sku"), "sku-taken", detail.clone());
    Problem::new("sku-taken", detail).with_errors(vec![place])
}

/// Returns the origin of a claim or release. It has a new command id each time, since one request may claim a
/// SKU, release it and claim it again. The state of the claim makes sure that a repeat changes nothing.
fn new_origin(ports: &Ports, origin: &Origin) -> Origin {
    Origin { command_id: CommandId(ports.clock.new_id()), request_hash: None, ..origin.clone() }
}

async fn release(
    ports: &Ports,
    skus: impl Iterator<Item = &Sku>,
    owner: &str,
    epoch: u64,
    origin: &Origin,
) -> Result<Position, Problem> {
    let mut highest = Position::START;
    for sku in skus {
        let command = ClaimCommand::Release { owner: owner.to_owned(), epoch };
        let request = CommandRequest::new(Claim::of_sku(sku), command, new_origin(ports, origin));
        highest = highest.max(ports.aggregates.claims.execute(request).await.map_err(problem)?.position);
    }
    Ok(highest)
}
