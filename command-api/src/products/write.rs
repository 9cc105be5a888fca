//! Writing a product: its SKUs are claimed first, and given up last.
//!
//! A crash in between leaves a claim whose owner doesn't hold the SKU; the same owner may claim again,
//! so a repeat goes through.

use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::{Content, Product, ProductCommand};
use souk_domain::{FieldError, ProductId, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandError, CommandId, CommandRequest, Completion, Outcome, Position};
use souk_web::Problem;

use crate::rejected::{problem, product_problem};
use crate::shop::Shop;

/// Claims the content's SKUs, sends the command, and releases what is no longer the product's.
pub async fn write(
    shop: &Shop,
    product: ProductId,
    request: CommandRequest<ProductCommand>,
    content: Option<&Content>,
) -> Result<(Outcome<Product>, Position), Problem> {
    let owner = Product::stream(product).to_string();
    let skus: Vec<Sku> =
        content.iter().flat_map(|content| &content.variants).map(|variant| variant.sku.clone()).collect();
    let before = shop.products.load(&request.stream).await?;
    if request.creates && before.is_some() {
        // The stream's id comes from this command: it was done before, and claims nothing now.
        let outcome = shop.products.execute(request).await.map_err(product_problem)?;
        let position = outcome.position;
        return Ok((outcome, position));
    }
    let held: Vec<Sku> = before.iter().flat_map(|product| product.state.skus()).cloned().collect();
    let origin = request.origin.clone();
    let mut highest = Position::START;
    let mut fresh = Vec::new();
    for (index, sku) in skus.iter().enumerate().filter(|(_, sku)| !held.contains(sku)) {
        match claim(shop, sku, &owner, &origin).await {
            Ok((position, completion)) => {
                highest = highest.max(position);
                if completion == Completion::Appended {
                    fresh.push(sku.clone());
                }
            }
            Err(problem) => {
                release(shop, &fresh, &owner, &origin).await?;
                return Err(placed_at(problem, index));
            }
        }
    }
    let result = shop.products.execute(request).await;
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            // What may be in the log keeps its claims; what was refused gives them back.
            if !matches!(error, CommandError::Store(_)) {
                release(shop, &fresh, &owner, &origin).await?;
            }
            return Err(product_problem(error));
        }
    };
    let gone: Vec<Sku> =
        held.into_iter().chain(fresh).filter(|sku| outcome.state.variant(sku).is_none()).collect();
    highest = highest.max(release(shop, &gone, &owner, &origin).await?);
    let position = highest.max(outcome.position);
    Ok((outcome, position))
}

/// Says which variant's SKU is another product's.
fn placed_at(problem: Problem, index: usize) -> Problem {
    if problem.code() != "sku-taken" {
        return problem;
    }
    let place = FieldError::new(format!("/variants/{index}/sku"), "sku-taken", problem.detail());
    problem.with_errors(vec![place])
}

/// The origin of a claim or release. Each has an id of its own, since the same request may claim, give up
/// and, repeated, claim again; that it is done once follows from the claim's state.
fn step(shop: &Shop, origin: &Origin) -> Origin {
    Origin { command_id: CommandId(shop.clock.new_id()), request_hash: None, ..origin.clone() }
}

async fn claim(
    shop: &Shop,
    sku: &Sku,
    owner: &str,
    origin: &Origin,
) -> Result<(Position, Completion), Problem> {
    let command = ClaimCommand::Claim { owner: owner.to_owned() };
    let request = CommandRequest::new(Claim::of_sku(sku), command, step(shop, origin));
    match shop.claims.execute(request).await {
        Ok(outcome) => Ok((outcome.position, outcome.completion)),
        Err(CommandError::Rejected(_)) => {
            Err(Problem::new("sku-taken", format!("SKU {sku} belongs to another product")))
        }
        Err(error) => Err(problem(error)),
    }
}

async fn release(shop: &Shop, skus: &[Sku], owner: &str, origin: &Origin) -> Result<Position, Problem> {
    let mut highest = Position::START;
    for sku in skus {
        let command = ClaimCommand::Release { owner: owner.to_owned() };
        let request = CommandRequest::new(Claim::of_sku(sku), command, step(shop, origin));
        highest = highest.max(shop.claims.execute(request).await.map_err(problem)?.position);
    }
    Ok(highest)
}
