//! Decides commands to a product.

use crate::Sku;

use super::command::ProductCommand;
use super::event::{Changed, Content, Created, Fenced, ProductEvent, Withdrawn};
use super::rejection::ProductRejection;
use super::state::{Lifecycle, ProductState};

type Decision = Result<Vec<ProductEvent>, ProductRejection>;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &ProductState, command: &ProductCommand) -> Decision {
    match command {
        ProductCommand::Create { content, epoch } => create(state, content, *epoch),
        ProductCommand::Replace { content, epoch } => replace(state, content, *epoch),
        ProductCommand::Withdraw => withdraw(state),
        ProductCommand::Fence { sku } => Ok(fence(state, sku)),
    }
}

fn create(state: &ProductState, content: &Content, epoch: u64) -> Decision {
    if state.has_content(content) {
        return Ok(Vec::new());
    }
    if state.exists() {
        return Err(ProductRejection::Exists);
    }
    content.check().map_err(ProductRejection::InvalidContent)?;
    check_epoch(state, epoch)?;
    Ok(vec![Created { content: content.clone() }.into()])
}

fn replace(state: &ProductState, content: &Content, epoch: u64) -> Decision {
    match state.lifecycle {
        Lifecycle::NotCreated => return Err(ProductRejection::NotFound),
        Lifecycle::Withdrawn => return Err(ProductRejection::Withdrawn),
        Lifecycle::Live if state.has_content(content) => return Ok(Vec::new()),
        Lifecycle::Live => content.check().map_err(ProductRejection::InvalidContent)?,
    }
    check_epoch(state, epoch)?;
    let stays = |sku: &Sku| content.variants.iter().any(|variant| variant.sku == *sku);
    let removed_skus = state.skus().filter(|sku| !stays(sku)).cloned().collect();
    Ok(vec![Changed { content: content.clone(), removed_skus }.into()])
}

fn withdraw(state: &ProductState) -> Decision {
    match state.lifecycle {
        Lifecycle::NotCreated => Err(ProductRejection::NotFound),
        Lifecycle::Withdrawn => Ok(Vec::new()),
        Lifecycle::Live => Ok(vec![Withdrawn { removed_skus: state.skus().cloned().collect() }.into()]),
    }
}

fn check_epoch(state: &ProductState, epoch: u64) -> Result<(), ProductRejection> {
    if state.epoch == epoch { Ok(()) } else { Err(ProductRejection::Fenced) }
}

fn fence(state: &ProductState, sku: &Sku) -> Vec<ProductEvent> {
    if state.variant(sku).is_some() { Vec::new() } else { vec![Fenced { sku: sku.clone() }.into()] }
}
