//! Read model of open claims: one row per claim. The key of a row is the id of the claim's stream:
//! `sku-85123A`, or `email-` and the hash or alias of the address.
//!
//! A claim reserves a unique key (a SKU or an e-mail address) for an owner (a product or a user). The claim
//! is open while the owner does not hold the key: before the owner has written the key, and after the owner
//! has given it up. A claim whose owner holds the key has no row. A sweep releases claims that stay open.

mod row;

use souk_domain::claim::{Claim, ClaimEvent};
use souk_domain::product::{Product, ProductEvent};
use souk_domain::user::{User, UserEvent};
use souk_domain::{EmailHash, Sku};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::OpenClaimRow;

use crate::stream_event::{instant, text};

/// Projector of the read model of open claims.
#[derive(Debug)]
pub struct OpenClaims;

/// Change of claims by an event.
#[derive(Debug)]
pub enum ClaimsChange {
    /// The claim of this key was released.
    Released(String),
    /// An owner claimed, wrote or gave up keys.
    Owner {
        /// Stream of the owner.
        owner: String,
        /// Keys that the owner claimed or gave up.
        open: Vec<String>,
        /// Keys that the owner holds.
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
    type Event = ClaimsChange;
    type Row = OpenClaimRow;

    fn event_types() -> Vec<&'static str> {
        let claim_types = <Claim as Decider>::Event::event_types();
        let product_types = <Product as Decider>::Event::event_types();
        let user_types = <User as Decider>::Event::event_types();
        claim_types.iter().chain(product_types).chain(user_types).copied().collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<ClaimsChange>, DecodeError> {
        let (open, held) = match recorded.stream.category() {
            Claim::CATEGORY => {
                let key = recorded.stream.id().to_owned();
                return Ok(Some(match recorded.decode()? {
                    ClaimEvent::Claimed(event) => {
                        ClaimsChange::Owner { owner: event.owner, open: vec![key], held: Vec::new() }
                    }
                    ClaimEvent::Released(_) => ClaimsChange::Released(key),
                }));
            }
            User::CATEGORY => match recorded.decode()? {
                UserEvent::Registered(event) => (Vec::new(), vec![key_of_email(&event.email_hash)]),
                UserEvent::Erased(event) => (vec![key_of_email(&event.email_hash)], Vec::new()),
                _ => return Ok(None),
            },
            _ => match keys_of_product(recorded.decode()?) {
                Some(keys) => keys,
                None => return Ok(None),
            },
        };
        Ok(Some(ClaimsChange::Owner { owner: recorded.stream.to_string(), open, held }))
    }

    fn keys(change: &ClaimsChange, _: &RecordedEvent) -> Vec<String> {
        match change {
            ClaimsChange::Released(key) => vec![key.clone()],
            ClaimsChange::Owner { open, held, .. } => open.iter().chain(held).cloned().collect(),
        }
    }

    fn project(
        key: &str,
        row: Option<OpenClaimRow>,
        change: &ClaimsChange,
        recorded: &RecordedEvent,
    ) -> Option<OpenClaimRow> {
        let since = recorded.event.recorded_at;
        match change {
            ClaimsChange::Released(_) => None,
            ClaimsChange::Owner { owner, held, .. } if held.iter().any(|held_key| held_key == key) => {
                row.filter(|row| row.owner != *owner)
            }
            ClaimsChange::Owner { owner, .. } => Some(OpenClaimRow { owner: owner.clone(), since }),
        }
    }

    fn columns(_: &str, row: &OpenClaimRow) -> Vec<Value> {
        vec![text(&row.owner), instant(row.since)]
    }
}

/// Returns the keys that a product gave up and the keys that it holds after this event.
fn keys_of_product(event: ProductEvent) -> Option<(Vec<String>, Vec<String>)> {
    let (content, removed) = match event {
        ProductEvent::Created(event) => (Some(event.content), Vec::new()),
        ProductEvent::Changed(event) => (Some(event.content), event.removed_skus),
        ProductEvent::Withdrawn(event) => (None, event.removed_skus),
        ProductEvent::Fenced(_) => return None,
    };
    let variants = content.into_iter().flat_map(|content| content.variants);
    let held = variants.map(|variant| key_of_sku(&variant.sku)).collect();
    Some((removed.iter().map(key_of_sku).collect(), held))
}

fn key_of_sku(sku: &Sku) -> String {
    Claim::of_sku(sku).id().to_owned()
}

fn key_of_email(hash: &EmailHash) -> String {
    Claim::of_email(hash).id().to_owned()
}

#[cfg(test)]
mod tests;
