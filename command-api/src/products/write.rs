//! Writing a product: its SKUs are claimed first, and given up last.
//!
//! A crash in between leaves a claim whose owner doesn't hold the SKU; the sweep of claims releases it.

use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::{Content, Product, ProductCommand, ProductEvent, ProductRejection, ProductState};
use souk_domain::{FieldError, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    CommandError, CommandId, CommandRequest, Context, Decider, Loaded, Outcome, Position,
};
use souk_http::Problem;

use crate::rejected::{problem, product_problem};
use crate::shop::Shop;

/// How often a write claims its SKUs anew after the product gave others up meanwhile.
const ATTEMPTS_MAX: usize = 3;

type Done = Result<(Outcome<Product>, Position), Problem>;

/// Claims the content's SKUs, sends the command, and releases what is no longer the product's. Answers
/// with the highest position of all that.
pub async fn write(shop: &Shop, request: CommandRequest<ProductCommand>) -> Done {
    if request.repeatable {
        let found = shop.products.find(&request.stream, &request.origin).await.map_err(product_problem)?;
        if let Some(found) = found {
            return repeat(shop, request, &found).await;
        }
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = shop.products.load(&request.stream).await?;
        let epoch = before.as_ref().map_or(0, |before| before.state.epoch());
        let command = request.command.clone().in_epoch(epoch);
        let request = CommandRequest { command, ..request.clone() };
        if is_without_effect(shop, before.as_ref(), &request) {
            let outcome = shop.products.execute(request).await.map_err(product_problem)?;
            return Ok(highest(outcome, Position::START));
        }
        let owner = request.stream.to_string();
        let before = before.map(|before| before.state).unwrap_or_default();
        let claimed = claim_new(shop, &before, &request, &owner, epoch).await?;
        let origin = request.origin.clone();
        match shop.products.execute(request).await {
            Ok(outcome) => {
                let gone = before.skus().filter(|sku| outcome.state.variant(sku).is_none());
                let released = release(shop, gone, &owner, outcome.state.epoch(), &origin).await?;
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

/// It was done before, and claims nothing now. What a crash may have cut off behind it is done.
async fn repeat(shop: &Shop, request: CommandRequest<ProductCommand>, found: &FoundCommand) -> Done {
    let (owner, origin) = (request.stream.to_string(), request.origin.clone());
    let outcome = shop.products.execute(request).await.map_err(product_problem)?;
    let removed = if found.first.is_noted() {
        Vec::new()
    } else {
        match found.first.decode().map_err(|error| Problem::internal(&error))? {
            ProductEvent::Changed(event) => event.removed_skus,
            ProductEvent::Withdrawn(event) => event.removed_skus,
            ProductEvent::Created(_) | ProductEvent::Fenced(_) => Vec::new(),
        }
    };
    let gone = removed.iter().filter(|sku| outcome.state.variant(sku).is_none());
    let released = release(shop, gone, &owner, outcome.state.epoch(), &origin).await?;
    Ok(highest(outcome, released))
}

/// Whether the command would be refused, or has nothing to change: then nothing is claimed for it.
fn is_without_effect(
    shop: &Shop,
    before: Option<&Loaded<Product>>,
    request: &CommandRequest<ProductCommand>,
) -> bool {
    let revision = before.map(|at| at.revision);
    let is_elsewhere = request.if_match.as_ref().is_some_and(|wanted| !wanted.is_met_by(revision));
    let context = Context { now: shop.clock.now(), command_id: request.origin.command_id };
    let absent = ProductState::default();
    let state = before.map_or(&absent, |before| &*before.state);
    is_elsewhere
        || !matches!(Product::decide(state, &request.command, &context), Ok(events) if !events.is_empty())
}

/// Claims the SKUs that the product doesn't hold yet. None is claimed while another is somebody else's.
async fn claim_new(
    shop: &Shop,
    before: &ProductState,
    request: &CommandRequest<ProductCommand>,
    owner: &str,
    epoch: u64,
) -> Result<Position, Problem> {
    let Some(content) = request.command.content() else { return Ok(Position::START) };
    let new = free_skus(shop, before, content, owner).await?;
    let mut highest = Position::START;
    for (index, sku) in new {
        let command = ClaimCommand::Claim { owner: owner.to_owned(), epoch };
        let request = CommandRequest::new(Claim::of_sku(sku), command, step(shop, &request.origin));
        match shop.claims.execute(request).await {
            Ok(outcome) => highest = highest.max(outcome.position),
            Err(CommandError::Rejected(_)) => return Err(taken(sku, index)),
            Err(error) => return Err(problem(error)),
        }
    }
    Ok(highest)
}

/// The same as [`free`] for the SKUs of a content.
pub async fn free_skus<'a>(
    shop: &Shop,
    before: &ProductState,
    content: &'a Content,
    owner: &str,
) -> Result<Vec<(usize, &'a Sku)>, Problem> {
    let skus: Vec<&Sku> = content.variants.iter().map(|variant| &variant.sku).collect();
    free(shop, before, &skus, owner).await
}

/// The SKUs among these that the product does not hold yet, with their places. Refuses one that another product holds.
pub async fn free<'a>(
    shop: &Shop,
    before: &ProductState,
    skus: &[&'a Sku],
    owner: &str,
) -> Result<Vec<(usize, &'a Sku)>, Problem> {
    let placed = skus.iter().copied().enumerate();
    let new: Vec<(usize, &'a Sku)> = placed.filter(|(_, sku)| before.variant(sku).is_none()).collect();
    for (index, sku) in &new {
        let claim = shop.claims.load(&Claim::of_sku(sku)).await?;
        if claim.is_some_and(|claim| claim.state.held.as_ref().is_some_and(|held| held.owner != owner)) {
            return Err(taken(sku, *index));
        }
    }
    Ok(new)
}

/// Says which variant's SKU is another product's.
fn taken(sku: &Sku, index: usize) -> Problem {
    let detail = format!("SKU {sku} belongs to another product");
    let place = FieldError::new(format!("/variants/{index}/sku"), "sku-taken", detail.clone());
    Problem::new("sku-taken", detail).with_errors(vec![place])
}

/// The origin of a claim or release. Each has an id of its own, since the same request may claim, give up
/// and, repeated, claim again; that it is done once follows from the claim's state.
fn step(shop: &Shop, origin: &Origin) -> Origin {
    Origin { command_id: CommandId(shop.clock.new_id()), request_hash: None, ..origin.clone() }
}

async fn release(
    shop: &Shop,
    skus: impl Iterator<Item = &Sku>,
    owner: &str,
    epoch: u64,
    origin: &Origin,
) -> Result<Position, Problem> {
    let mut highest = Position::START;
    for sku in skus {
        let command = ClaimCommand::Release { owner: owner.to_owned(), epoch };
        let request = CommandRequest::new(Claim::of_sku(sku), command, step(shop, origin));
        highest = highest.max(shop.claims.execute(request).await.map_err(problem)?.position);
    }
    Ok(highest)
}
