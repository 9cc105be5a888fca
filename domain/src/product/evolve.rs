//! What an event makes of a product.

use super::event::{Content, ProductEvent, Variant};
use super::state::{Life, ProductState, VariantState, hash_of};

/// The state after an event.
pub fn evolve(_: ProductState, event: &ProductEvent) -> ProductState {
    match event {
        ProductEvent::Created(event) => live(&event.content),
        ProductEvent::Changed(event) => live(&event.content),
        ProductEvent::Withdrawn(_) => ProductState { life: Life::Withdrawn, ..ProductState::default() },
    }
}

fn live(content: &Content) -> ProductState {
    let variant = |variant: &Variant| {
        let state = VariantState { price: variant.price, options: variant.options.clone() };
        (variant.sku.clone(), state)
    };
    ProductState {
        life: Life::Live,
        name: content.name.clone(),
        active: content.active,
        variants: content.variants.iter().map(variant).collect(),
        content_hash: hash_of(content),
    }
}
