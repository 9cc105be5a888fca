//! Claims of SKUs whose owner doesn't hold the SKU: not yet, or no longer. One row a SKU, for the sweep
//! that releases those that stay so. A claim that is settled has no row.

mod row;

use souk_domain::Sku;
use souk_domain::claim::{Claim, ClaimEvent};
use souk_domain::product::{Product, ProductEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::OpenClaimRow;

use crate::happened::{instant, text};

/// The rules.
#[derive(Debug)]
pub struct OpenClaims;

/// What an event says of claims.
#[derive(Debug)]
pub enum ClaimsSaid {
    /// A stream claimed a SKU.
    Claimed(Sku, String),
    /// A SKU is nobody's.
    Released(Sku),
    /// A product holds these SKUs, and gave others up.
    Product {
        /// Its stream.
        owner: String,
        /// What it holds.
        held: Vec<Sku>,
        /// What it gave up.
        removed: Vec<Sku>,
    },
}

impl Projector for OpenClaims {
    const MODEL: Model = Model {
        name: "open_claims",
        version: 1,
        columns: &[
            Column { name: "owner", column_type: ColumnType::Text },
            Column { name: "since", column_type: ColumnType::Integer },
        ],
        indexes: &["since"],
        sums: &[],
    };
    type Event = ClaimsSaid;
    type Row = OpenClaimRow;

    fn takes() -> Vec<&'static str> {
        let of_claims = <Claim as Decider>::Event::event_types();
        of_claims.iter().chain(<Product as Decider>::Event::event_types()).copied().collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<ClaimsSaid>, DecodeError> {
        if recorded.stream.category() == Claim::CATEGORY {
            let Some(sku) = Claim::sku_of(&recorded.stream) else { return Ok(None) };
            return Ok(Some(match recorded.decode()? {
                ClaimEvent::Claimed(event) => ClaimsSaid::Claimed(sku, event.owner),
                ClaimEvent::Released(_) => ClaimsSaid::Released(sku),
            }));
        }
        let (content, removed) = match recorded.decode()? {
            ProductEvent::Created(event) => (Some(event.content), Vec::new()),
            ProductEvent::Changed(event) => (Some(event.content), event.removed_skus),
            ProductEvent::Withdrawn(event) => (None, event.removed_skus),
            ProductEvent::Fenced(_) => return Ok(None),
        };
        let variants = content.into_iter().flat_map(|content| content.variants);
        let held = variants.map(|variant| variant.sku).collect();
        Ok(Some(ClaimsSaid::Product { owner: recorded.stream.to_string(), held, removed }))
    }

    fn keys(said: &ClaimsSaid, _: &RecordedEvent) -> Vec<String> {
        match said {
            ClaimsSaid::Claimed(sku, _) | ClaimsSaid::Released(sku) => vec![sku.to_string()],
            ClaimsSaid::Product { held, removed, .. } => {
                held.iter().chain(removed).map(Sku::to_string).collect()
            }
        }
    }

    fn project(
        key: &str,
        row: Option<OpenClaimRow>,
        said: &ClaimsSaid,
        recorded: &RecordedEvent,
    ) -> Option<OpenClaimRow> {
        let since = recorded.event.recorded_at;
        match said {
            ClaimsSaid::Claimed(_, owner) => Some(OpenClaimRow { owner: owner.clone(), since }),
            ClaimsSaid::Released(_) => None,
            ClaimsSaid::Product { owner, held, .. } if held.iter().any(|sku| sku.as_str() == key) => {
                row.filter(|row| row.owner != *owner)
            }
            ClaimsSaid::Product { owner, .. } => Some(OpenClaimRow { owner: owner.clone(), since }),
        }
    }

    fn columns(_: &str, row: &OpenClaimRow) -> Vec<Value> {
        vec![text(&row.owner), instant(row.since)]
    }
}

#[cfg(test)]
mod tests;
