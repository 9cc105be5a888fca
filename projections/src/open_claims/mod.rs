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
    /// A SKU is nobody's.
    Released(Sku),
    /// What an owner claims or gave up, and what it holds.
    Owner {
        /// Its stream.
        owner: String,
        /// What it claims and doesn't hold.
        open: Vec<Sku>,
        /// What it holds.
        held: Vec<Sku>,
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
                ClaimEvent::Claimed(event) => {
                    ClaimsSaid::Owner { owner: event.owner, open: vec![sku], held: Vec::new() }
                }
                ClaimEvent::Released(_) => ClaimsSaid::Released(sku),
            }));
        }
        let (content, open) = match recorded.decode()? {
            ProductEvent::Created(event) => (Some(event.content), Vec::new()),
            ProductEvent::Changed(event) => (Some(event.content), event.removed_skus),
            ProductEvent::Withdrawn(event) => (None, event.removed_skus),
            ProductEvent::Fenced(_) => return Ok(None),
        };
        let variants = content.into_iter().flat_map(|content| content.variants);
        let held = variants.map(|variant| variant.sku).collect();
        Ok(Some(ClaimsSaid::Owner { owner: recorded.stream.to_string(), open, held }))
    }

    fn keys(said: &ClaimsSaid, _: &RecordedEvent) -> Vec<String> {
        match said {
            ClaimsSaid::Released(sku) => vec![sku.to_string()],
            ClaimsSaid::Owner { open, held, .. } => open.iter().chain(held).map(Sku::to_string).collect(),
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
            ClaimsSaid::Released(_) => None,
            ClaimsSaid::Owner { owner, held, .. } if held.iter().any(|sku| sku.as_str() == key) => {
                row.filter(|row| row.owner != *owner)
            }
            ClaimsSaid::Owner { owner, .. } => Some(OpenClaimRow { owner: owner.clone(), since }),
        }
    }

    fn columns(_: &str, row: &OpenClaimRow) -> Vec<Value> {
        vec![text(&row.owner), instant(row.since)]
    }
}

#[cfg(test)]
mod tests;
