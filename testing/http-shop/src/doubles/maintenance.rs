//! Two parked entities for the routes of maintenance.

use std::sync::Mutex;

use async_trait::async_trait;
use souk_command_api::{Maintenance, MaintenanceError};
use souk_eventsourcing::parking::{ApplyFailure, Entity, Parked, Skip};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Position, Revision, StreamName};

/// Maintenance with two parked entities: an order, until its event is skipped, and an instance of the
/// checkout process, whose event can't be skipped.
#[derive(Default)]
pub(crate) struct OneParked {
    released: Mutex<bool>,
}

fn parked(owner: &str) -> Parked {
    let category = if owner == "checkout" { "checkout" } else { "order" };
    let failure = ApplyFailure {
        entity: Entity::Key("a".to_owned()),
        stream: StreamName::new(category, "a"),
        revision: Revision(3),
        position: Position(57),
        reason: "missing field `carrier`".to_owned(),
        can_be_skipped: owner != "checkout",
    };
    Parked { failure, keys: vec!["a".to_owned()], since: noon() }
}

#[async_trait]
impl Maintenance for OneParked {
    async fn find(&self, owner: &str, entity: &str) -> Result<Parked, MaintenanceError> {
        let is_released = *self.released.lock().unwrap();
        if ["orders", "checkout"].contains(&owner) && entity == "a" && !is_released {
            return Ok(parked(owner));
        }
        Err(MaintenanceError::NotParked { owner: owner.to_owned(), entity: entity.to_owned() })
    }

    async fn retry(&self, owner: &str, entity: &str, skip: Option<Skip>) -> Result<usize, MaintenanceError> {
        let parked = self.find(owner, entity).await?;
        if skip.is_none() {
            return Err(MaintenanceError::StillParked(parked.failure.to_string()));
        }
        *self.released.lock().unwrap() = true;
        Ok(2)
    }

    async fn skip_at(&self, owner: &str, entity: &str, position: Position) -> Result<Skip, MaintenanceError> {
        if owner == "orders" && entity == "order-b" && position == Position(58) {
            return Ok(Skip { stream: StreamName::new("order", "b"), revision: Revision(4), key: None });
        }
        Err(MaintenanceError::NothingToSkip("there is no event to skip".to_owned()))
    }

    async fn switch(&self, builds: Vec<(String, u32)>) -> Result<Position, MaintenanceError> {
        match builds.as_slice() {
            [(name, 12)] if name == "orders" => Ok(Position(60)),
            _ => Err(MaintenanceError::BuildNotReady("there is no such build".to_owned())),
        }
    }
}
