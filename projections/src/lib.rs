//! The read models: what becomes of their rows when an event happens.
//!
//! A folder a model, each with `row` (the document and the columns) and the projector in `mod`. A row
//! holds only what its own streams say; what another stream says is joined when queried.

pub mod cart_lines;
pub mod carts;
pub mod order_lines;
pub mod orders;
pub mod payments;
pub mod products;
pub mod reservations;
pub mod stock;
pub mod variants;

use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectorFold};
use souk_eventsourcing::projector::{Column, ColumnType, Model};

/// A projector of every model.
pub fn all() -> Vec<Box<dyn ErasedProjector>> {
    vec![
        ProjectorFold::<products::Products>::boxed(),
        ProjectorFold::<variants::Variants>::boxed(),
        ProjectorFold::<stock::StockLevels>::boxed(),
        ProjectorFold::<reservations::Reservations>::boxed(),
        ProjectorFold::<carts::Carts>::boxed(),
        ProjectorFold::<cart_lines::CartLines>::boxed(),
        ProjectorFold::<orders::Orders>::boxed(),
        ProjectorFold::<order_lines::OrderLines>::boxed(),
        ProjectorFold::<payments::Payments>::boxed(),
    ]
}

/// Every model.
pub fn models() -> Vec<&'static Model> {
    all().iter().map(|projector| projector.model()).collect()
}

const fn text(name: &'static str) -> Column {
    Column { name, column_type: ColumnType::Text }
}

const fn integer(name: &'static str) -> Column {
    Column { name, column_type: ColumnType::Integer }
}

#[cfg(test)]
mod golden;
