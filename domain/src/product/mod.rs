//! A product with its variants.
//!
//! A SKU belongs to one product; that is held by [`crate::claim`], claimed before and released after. A
//! product that was withdrawn doesn't come back: its SKUs are free for another.

pub mod amend;
pub mod check;
pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;
mod written;

pub use amend::Amendment;
pub use command::ProductCommand;
pub use event::{Content, ProductEvent};
pub use rejection::ProductRejection;
pub use state::{ProductState, VariantState};

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::names::ProductId;

/// The aggregate.
#[derive(Debug)]
pub struct Product;

impl Product {
    /// The stream of a product.
    pub fn stream(product: ProductId) -> StreamName {
        StreamName::new(Self::CATEGORY, &product.to_string())
    }
}

impl Decider for Product {
    const CATEGORY: &'static str = "product";
    type State = ProductState;
    type Command = ProductCommand;
    type Event = ProductEvent;
    type Rejection = ProductRejection;

    fn decide(
        state: &ProductState,
        command: &ProductCommand,
        _: &Context,
    ) -> Result<Vec<ProductEvent>, ProductRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: ProductState, event: &ProductEvent) -> ProductState {
        evolve::evolve(state, event)
    }

    fn parts(state: &ProductState) -> usize {
        1 + state.variants.len()
    }
}

#[cfg(test)]
mod tests;
