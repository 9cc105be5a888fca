//! Applies events to the state of a product.

use super::event::{Content, ProductEvent, Variant};
use super::state::{Lifecycle, ProductState, VariantState, hash_of};

/// Returns the state after an event.
pub fn evolve(state: ProductState, event: &ProductEvent) -> ProductState {
    let epoch = state.epoch;
    match event {
        ProductEvent::Created(event) => live(&event.content, epoch),
        ProductEvent::Changed(event) => {
            live(&event.content, epoch + u64::from(!event.removed_skus.is_empty()))
        }
        ProductEvent::Withdrawn(_) => {
            ProductState { lifecycle: Lifecycle::Withdrawn, epoch: epoch + 1, ..ProductState::default() }
        }
        ProductEvent::Fenced(_) => ProductState { epoch: epoch + 1, ..state },
    }
}

fn live(content: &Content, epoch: u64) -> ProductState {
    let variant = |variant: &Variant| {
        let state = VariantState { price: variant.price, options: variant.options.clone() };
        (variant.sku.clone(), state)
    };
    ProductState {
        lifecycle: Lifecycle::Live,
        epoch,
        name: content.name.clone(),
        active: content.active,
        variants: content.variants.iter().map(variant).collect(),
        content_hash: hash_of(content),
    }
}
