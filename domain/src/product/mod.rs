//! A product with its variants.
//!
//! A SKU belongs to one product. The SKU's claim ([`crate::claim`]) ensures this: the SKU is claimed before
//! the product is written, and released after the product gave it up. A withdrawn product never comes back;
//! its SKUs can be used by another product.

pub mod amend;
mod attribute_value;
pub mod check;
pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod state;

pub use amend::Amendment;
pub use command::ProductCommand;
pub use event::{Content, ProductEvent};
pub use rejection::ProductRejection;
pub use state::{ProductState, VariantState};

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::ProductId;

/// The aggregate: one product.
#[derive(Debug)]
pub struct Product;

impl Product {
    /// Returns the stream of a product.
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
mod properties;
#[cfg(test)]
mod tests;
