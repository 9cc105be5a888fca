//! Projectors of the shop: the rules that compute the rows of its read models from events.
//!
//! Each model has a folder with the same files: `mod.rs` with the shape and the rules, `row.rs` with the
//! document of a row, `tests.rs`, and a snapshot of the golden test.
//!
//! Invariants: everything is pure and contains no SQL. A row is computed from its own streams only; queries
//! join the data of other streams. A change of keys, rows, columns or contributions needs a higher version of
//! the model. The golden tests fail until the version is raised.
//!
//! On failure: an event that a projector can't apply parks one row or stream; see
//! `souk_eventsourcing::parking`.

pub mod cart_lines;
pub mod carts;
pub mod erased_people;
pub mod kept_webhooks;
pub mod open_claims;
pub mod order_lines;
pub mod order_notes;
pub mod orders;
pub mod payment_debts;
pub mod payments;
pub mod products;
pub mod reservations;
pub mod sort_key;
pub mod stock;
pub mod users;
pub mod variants;

mod stream_event;
#[cfg(test)]
mod testing;

use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectorFold};
use souk_eventsourcing::projector::Model;

/// Returns a projector of every model, at the start of the log.
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
        ProjectorFold::<order_notes::OrderNotes>::boxed(),
    ]
}

/// Returns the shape of every model, in the order of [`all`].
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
