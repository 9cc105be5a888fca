use std::sync::Arc;

use souk_eventsourcing::parking::{Entity, Parked, Poison};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Position, Revision, StreamName};
use souk_http::Role;
use souk_query_api::ParkedEntities;
use tokio::sync::watch;

use crate::shop::Shop;

#[tokio::test]
async fn a_read_waits_until_the_read_models_reach_the_position() {
    let mut shop = Shop::open().await;
    shop.count_stock("A1", 5).await;
    shop.project().await;
    shop.reached.send_replace(Position::START);
    let read =
        shop.get("/api/inventory/stock/A1").header("x-min-position", "1").header("prefer", "wait=30").send();
    let advance = async {
        tokio::task::yield_now().await;
        shop.reached.send_replace(Position(1));
    };
    let (response, ()) = tokio::join!(read, advance);
    assert_eq!((response.status, response.json["position"].as_str()), (200, Some("1")));
}

#[tokio::test]
async fn a_read_that_times_out_names_the_position_reached() {
    let mut shop = Shop::open().await;
    shop.count_stock("A1", 5).await;
    shop.project().await;
    let read = shop.get("/api/inventory/stock/A1").header("x-min-position", "99").header("prefer", "wait=0");
    let response = read.send().await;
    response.assert_problem(503, "read-model-behind");
    assert_eq!(response.headers["retry-after"], "1");
    assert!(
        response.json["detail"].as_str().unwrap().contains("position 1, but position 99"),
        "{:?}",
        response.json
    );
}

#[tokio::test]
async fn a_wait_ends_at_once_when_the_shop_stops() {
    let shop = Shop::open().await;
    let read = shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    let stop = async {
        tokio::task::yield_now().await;
        shop.stop.send_replace(true);
    };
    let (response, ()) = tokio::join!(read, stop);
    response.assert_problem(503, "read-model-behind");
    let already_stopped =
        shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    already_stopped.await.assert_problem(503, "read-model-behind");
}

#[tokio::test]
async fn a_wait_ends_at_once_if_no_process_updates_the_read_models() {
    let mut shop = Shop::open().await;
    drop(std::mem::replace(&mut shop.reached, watch::channel(Position::START).0));
    let read = shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    read.await.assert_problem(503, "read-model-behind");
}

#[tokio::test]
async fn invalid_positions_and_waits_are_rejected() {
    let shop = Shop::open().await;
    for (name, value) in [("x-min-position", "x"), ("x-min-position", "-1"), ("prefer", "wait=31")] {
        shop.get("/api/products").header(name, value).send().await.assert_problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn while_a_read_model_is_built_only_its_status_can_be_read() {
    let mut shop = Shop::open().await;
    shop.count_stock("A1", 5).await;
    shop.project().await;
    shop.built.send_replace(false);
    shop.get("/api/inventory/stock/A1").send().await.assert_problem(503, "read-model-behind");
    assert_eq!(shop.get("/api/admin/projections").token(Role::Admin, "ops").send().await.status, 200);
    shop.built.send_replace(true);
    assert_eq!(shop.get("/api/inventory/stock/A1").send().await.status, 200);
}

#[tokio::test]
async fn only_reads_of_parked_entities_are_marked_as_behind() {
    let mut shop = Shop::open().await;
    shop.count_stock("A1", 5).await;
    shop.count_stock("B2", 5).await;
    shop.project().await;
    let poison = Poison {
        entity: Entity::Key("A1".to_owned()),
        stream: StreamName::new("stock", "A1"),
        revision: Revision(1),
        position: Position(2),
        reason: "it panicked".to_owned(),
        can_be_skipped: true,
    };
    let first_event = Poison {
        entity: Entity::Stream(StreamName::new("stock", "C3")),
        stream: StreamName::new("stock", "C3"),
        ..poison.clone()
    };
    let mut parked_entities = ParkedEntities::default();
    let parked = |poison: Poison, keys| Parked { poison, keys, since: noon() };
    parked_entities.set("stock", &[parked(poison, vec!["A1".to_owned()]), parked(first_event, vec![])]);
    shop.parked.send_replace(Arc::new(parked_entities));

    let response = shop.get("/api/inventory/stock/A1").header("x-min-position", "1").send().await;
    assert_eq!((response.status, response.headers["x-behind-since"].to_str().unwrap()), (200, "2"));
    let refused = shop.get("/api/inventory/stock/A1").header("x-min-position", "2").send().await;
    refused.assert_problem(503, "read-model-behind");
    let response = shop.get("/api/inventory/stock/B2").header("x-min-position", "2").send().await;
    assert!(response.status == 200 && !response.headers.contains_key("x-behind-since"));
    shop.get("/api/inventory/stock/C3").send().await.assert_problem(503, "read-model-behind");
    shop.get("/api/inventory/stock/D4").send().await.assert_problem(404, "not-found");
    assert_eq!(shop.get("/api/inventory/stock").token(Role::Admin, "ops").send().await.json["behind"], 2);
    assert_eq!(
        shop.get("/api/payments").token(Role::Admin, "ops").send().await.json["behind"],
        serde_json::Value::Null
    );
}
