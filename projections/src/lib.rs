//! The shop's read models: what becomes of their rows when an event happens.
//!
//! A folder a model, each with the same files: `mod.rs` has the shape and the rules, `row.rs` the
//! document. Everything here is pure and has no SQL. A row holds what its own streams say and nothing
//! else; what another stream says is joined when queried. A change to keys, rows, columns or
//! contributions raises the model's version; the golden tests fail until it does.

pub mod cart_lines;
pub mod carts;
pub mod erased_people;
pub mod kept_webhooks;
pub mod open_claims;
pub mod order_lines;
pub mod orders;
pub mod payment_debts;
pub mod payments;
pub mod products;
pub mod reservations;
pub mod sort_key;
pub mod stock;
pub mod users;
pub mod variants;

mod happened;
#[cfg(test)]
mod testing;

use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectorFold};
use souk_eventsourcing::projector::Model;

/// A projector of every model, at the log's start.
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
        ProjectorFold::<payment_debts::PaymentDebts>::boxed(),
        ProjectorFold::<open_claims::OpenClaims>::boxed(),
        ProjectorFold::<kept_webhooks::KeptWebhooks>::boxed(),
        ProjectorFold::<users::Users>::boxed(),
        ProjectorFold::<erased_people::ErasedPeople>::boxed(),
    ]
}

/// The shape of every model, in the order of [`all`].
pub fn models() -> Vec<&'static Model> {
    all().iter().map(|projector| projector.model()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_models_or_sums_share_a_name() {
        let models = models();
        let sums = models.iter().flat_map(|model| model.sums.iter().map(|sum| sum.name));
        let names: Vec<_> = models.iter().map(|model| model.name).chain(sums).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}
