//! Claims whose owner doesn't hold the key: not yet, or no longer. One row a claim, by the id of its stream
//! (`sku-85123A`, `email-HASH`), for the sweep that releases those that stay so. A claim that is settled
//! has no row.

mod row;

use souk_domain::claim::{Claim, ClaimEvent};
use souk_domain::product::{Product, ProductEvent};
use souk_domain::user::{User, UserEvent};
use souk_domain::{EmailHash, Sku};
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
    /// A key is nobody's.
    Released(String),
    /// What an owner claims or gave up, and what it holds.
    Owner {
        /// Its stream.
        owner: String,
        /// What it claims and doesn't hold.
        open: Vec<String>,
        /// What it holds.
        held: Vec<String>,
    },
}

impl Projector for OpenClaims {
    const MODEL: Model = Model {
        name: "open_claims",
        version: 2,
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
        let of_products = <Product as Decider>::Event::event_types();
        let of_users = <User as Decider>::Event::event_types();
        of_claims.iter().chain(of_products).chain(of_users).copied().collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<ClaimsSaid>, DecodeError> {
        let (open, held) = match recorded.stream.category() {
            Claim::CATEGORY => {
                let key = recorded.stream.id().to_owned();
                return Ok(Some(match recorded.decode()? {
                    ClaimEvent::Claimed(event) => {
                        ClaimsSaid::Owner { owner: event.owner, open: vec![key], held: Vec::new() }
                    }
                    ClaimEvent::Released(_) => ClaimsSaid::Released(key),
                }));
            }
            User::CATEGORY => match recorded.decode()? {
                UserEvent::Registered(event) => (Vec::new(), vec![of_email(&event.email_hash)]),
                UserEvent::Erased(event) => (vec![of_email(&event.email_hash)], Vec::new()),
                _ => return Ok(None),
            },
            _ => match of_product(recorded.decode()?) {
                Some(said) => said,
                None => return Ok(None),
            },
        };
        Ok(Some(ClaimsSaid::Owner { owner: recorded.stream.to_string(), open, held }))
    }

    fn keys(said: &ClaimsSaid, _: &RecordedEvent) -> Vec<String> {
        match said {
            ClaimsSaid::Released(key) => vec![key.clone()],
            ClaimsSaid::Owner { open, held, .. } => open.iter().chain(held).cloned().collect(),
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
            ClaimsSaid::Owner { owner, held, .. } if held.iter().any(|held| held == key) => {
                row.filter(|row| row.owner != *owner)
            }
            ClaimsSaid::Owner { owner, .. } => Some(OpenClaimRow { owner: owner.clone(), since }),
        }
    }

    fn columns(_: &str, row: &OpenClaimRow) -> Vec<Value> {
        vec![text(&row.owner), instant(row.since)]
    }
}

/// What a product's event says it gave up and holds.
fn of_product(event: ProductEvent) -> Option<(Vec<String>, Vec<String>)> {
    let (content, removed) = match event {
        ProductEvent::Created(event) => (Some(event.content), Vec::new()),
        ProductEvent::Changed(event) => (Some(event.content), event.removed_skus),
        ProductEvent::Withdrawn(event) => (None, event.removed_skus),
        ProductEvent::Fenced(_) => return None,
    };
    let variants = content.into_iter().flat_map(|content| content.variants);
    let held = variants.map(|variant| of_sku(&variant.sku)).collect();
    Some((removed.iter().map(of_sku).collect(), held))
}

fn of_sku(sku: &Sku) -> String {
    Claim::of_sku(sku).id().to_owned()
}

fn of_email(hash: &EmailHash) -> String {
    Claim::of_email(hash).id().to_owned()
}

#[cfg(test)]
mod tests;
