use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use souk_command_api::{Maintenance, MaintenanceError};
use souk_domain::skips::Skips;
use souk_eventsourcing::parking::{Entity, Parked, Poison, Skip};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Position, Revision, StreamName};
use souk_http::Role;

use crate::shop::{Call, TestShop};

/// Maintenance with two parked entities: an order, until its event is skipped, and an instance of the
/// checkout process, whose event can't be skipped.
#[derive(Default)]
pub(crate) struct OneParked {
    released: Mutex<bool>,
}

fn parked(owner: &str) -> Parked {
    let category = if owner == "checkout" { "checkout" } else { "order" };
    let poison = Poison {
        entity: Entity::Key("a".to_owned()),
        stream: StreamName::new(category, "a"),
        revision: Revision(3),
        position: Position(57),
        reason: "missing field `carrier`".to_owned(),
        can_be_skipped: owner != "checkout",
    };
    Parked { poison, keys: vec!["a".to_owned()], since: noon() }
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
            return Err(MaintenanceError::StillParked(parked.poison.to_string()));
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

const PARKED: &str = "/api/admin/parked";

#[tokio::test]
async fn a_parked_entity_is_retried_or_its_event_is_skipped_with_a_recorded_reason() {
    let shop = TestShop::open().await;
    let body = json!({"owner": "orders", "entity": "a"});
    let response =
        shop.admin(Call::post(&format!("{PARKED}/retry"), &body)).await.refused(409, "still-parked");
    assert!(response.text("detail").contains("position 57"), "{}", response.body);
    let body = json!({"owner": "orders", "entity": "a", "reason": " "});
    shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.refused(422, "validation-failed");
    let body = json!({"owner": "orders", "entity": "a", "reason": "this carrier does not exist"});
    let response = shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.done(200);
    assert_eq!(response.body["events"], 2);
    let skips = shop.ports.aggregates.skips.load(&Skips::stream("orders")).await.unwrap().unwrap();
    let skip = Skip { stream: StreamName::new("order", "a"), revision: Revision(3), key: Some("a".into()) };
    assert_eq!(skips.state.skipped, [skip]);
    shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.refused(404, "not-found");
}

#[tokio::test]
async fn an_event_that_a_process_wrote_itself_is_never_skipped() {
    let shop = TestShop::open().await;
    let body = json!({"owner": "checkout", "entity": "a", "reason": "x"});
    shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.refused(409, "still-parked");
    assert!(shop.ports.aggregates.skips.load(&Skips::stream("checkout")).await.unwrap().is_none());
}

#[tokio::test]
async fn an_event_that_stops_a_rebuild_is_skipped_by_its_position() {
    let shop = TestShop::open().await;
    let skip = |position: &str| {
        let body = json!({"owner": "orders", "entity": "order-b", "position": position, "reason": "no such carrier"});
        shop.admin(Call::post(&format!("{PARKED}/skip"), &body))
    };
    for wrong in ["", "x", "-1", "+58", "5555555555555555555"] {
        skip(wrong).await.refused(422, "validation-failed").at("/position", "invalid-position");
    }
    skip("57").await.refused(404, "not-found");
    assert_eq!(skip("58").await.done(200).body["events"], 0);
    let skips = shop.ports.aggregates.skips.load(&Skips::stream("orders")).await.unwrap().unwrap();
    let skipped = Skip { stream: StreamName::new("order", "b"), revision: Revision(4), key: None };
    assert_eq!(skips.state.skipped, [skipped]);
}

#[tokio::test]
async fn builds_are_switched_when_they_are_ready() {
    let shop = TestShop::open().await;
    let switch = "/api/admin/projections/switch";
    let builds = |builds| json!({ "builds": builds });
    let response =
        shop.admin(Call::post(switch, &builds(json!([{"name": "orders", "build": 12}])))).await.done(200);
    assert_eq!(response.body["position"], "60");
    let other = builds(json!([{"name": "orders", "build": 13}]));
    shop.admin(Call::post(switch, &other)).await.refused(409, "build-not-ready");
    shop.admin(Call::post(switch, &builds(json!([])))).await.refused(422, "validation-failed");
}

#[tokio::test]
async fn only_admins_retry_parked_entities() {
    let shop = TestShop::open().await;
    let parked = json!({"owner": "orders", "entity": "a"});
    let call = Call::post(&format!("{PARKED}/retry"), &parked);
    let token = format!("Bearer {}", shop.token("erp", Role::Service));
    shop.send(call.header("authorization", &token)).await.refused(403, "forbidden");
}
