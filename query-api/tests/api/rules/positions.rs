//! Positions: a read waits for the position that it names, and tells which position it shows.

use std::sync::Arc;

use souk_eventsourcing::parking::{ApplyFailure, Entity, Parked};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Position, Revision, StreamName};
use souk_http_shop::{Call, Shop};
use souk_query_api::ParkedEntities;
use tokio::sync::watch;

// Proves: common.read-your-writes
#[tokio::test]
async fn a_read_waits_until_the_read_models_reach_the_position() {
    let shop = Shop::open().await;
    shop.append_count("A1", 5).await;
    shop.project().await;
    shop.reads.reached.send_replace(Position::START);
    let read = shop
        .send(Call::get("/api/inventory/stock/A1").header("x-min-position", "1").header("prefer", "wait=30"));
    let advance = async {
        tokio::task::yield_now().await;
        shop.reads.reached.send_replace(Position(1));
    };
    let (response, ()) = tokio::join!(read, advance);
    assert_eq!((response.status, response.body["position"].as_str()), (200, Some("1")));
}

// Proves: common.read-model-behind
#[tokio::test]
async fn a_read_that_times_out_names_the_position_reached() {
    let shop = Shop::open().await;
    shop.append_count("A1", 5).await;
    shop.project().await;
    let read = Call::get("/api/inventory/stock/A1").header("x-min-position", "99").header("prefer", "wait=0");
    let response = shop.send(read).await.refused(503, "read-model-behind");
    assert_eq!(response.headers["retry-after"], "1");
    assert!(
        response.body["detail"].as_str().unwrap().contains("position 1, but position 99"),
        "{:?}",
        response.body
    );
}

// Proves: operations.stop-ends-waits
#[tokio::test]
async fn a_wait_ends_at_once_when_the_shop_stops() {
    let shop = Shop::open().await;
    let read = shop.send(Call::get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30"));
    let stop = async {
        tokio::task::yield_now().await;
        shop.stop.send_replace(true);
    };
    let (response, ()) = tokio::join!(read, stop);
    response.refused(503, "read-model-behind");
    let already_stopped =
        shop.send(Call::get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30"));
    already_stopped.await.refused(503, "read-model-behind");
}

#[tokio::test]
async fn a_wait_ends_at_once_if_no_process_updates_the_read_models() {
    let mut shop = Shop::open().await;
    drop(std::mem::replace(&mut shop.reads.reached, watch::channel(Position::START).0));
    let read = shop.send(Call::get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30"));
    read.await.refused(503, "read-model-behind");
}

#[tokio::test]
async fn invalid_positions_and_waits_are_rejected() {
    let shop = Shop::open().await;
    for (name, value) in [("x-min-position", "x"), ("x-min-position", "-1"), ("prefer", "wait=31")] {
        shop.send(Call::get("/api/products").header(name, value)).await.refused(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn while_a_read_model_is_built_only_its_status_can_be_read() {
    let shop = Shop::open().await;
    shop.append_count("A1", 5).await;
    shop.project().await;
    shop.reads.built.send_replace(false);
    shop.send(Call::get("/api/inventory/stock/A1")).await.refused(503, "read-model-behind");
    assert_eq!(shop.admin(Call::get("/api/admin/projections")).await.status, 200);
    shop.reads.built.send_replace(true);
    assert_eq!(shop.send(Call::get("/api/inventory/stock/A1")).await.status, 200);
}

#[tokio::test]
async fn only_reads_of_parked_entities_are_marked_as_behind() {
    let shop = Shop::open().await;
    shop.append_count("A1", 5).await;
    shop.append_count("B2", 5).await;
    shop.project().await;
    let failure = ApplyFailure {
        entity: Entity::Key("A1".to_owned()),
        stream: StreamName::new("stock", "A1"),
        revision: Revision(1),
        position: Position(2),
        reason: "it panicked".to_owned(),
        can_be_skipped: true,
    };
    let first_event = ApplyFailure {
        entity: Entity::Stream(StreamName::new("stock", "C3")),
        stream: StreamName::new("stock", "C3"),
        ..failure.clone()
    };
    let mut parked_entities = ParkedEntities::default();
    let parked = |failure: ApplyFailure, keys| Parked { failure, keys, since: noon() };
    parked_entities.set("stock", &[parked(failure, vec!["A1".to_owned()]), parked(first_event, vec![])]);
    shop.reads.parked.send_replace(Arc::new(parked_entities));

    let response = shop.send(Call::get("/api/inventory/stock/A1").header("x-min-position", "1")).await;
    assert_eq!((response.status, response.headers["x-behind-since"].to_str().unwrap()), (200, "2"));
    let refused = shop.send(Call::get("/api/inventory/stock/A1").header("x-min-position", "2")).await;
    refused.refused(503, "read-model-behind");
    let response = shop.send(Call::get("/api/inventory/stock/B2").header("x-min-position", "2")).await;
    assert!(response.status == 200 && !response.headers.contains_key("x-behind-since"));
    shop.send(Call::get("/api/inventory/stock/C3")).await.refused(503, "read-model-behind");
    shop.send(Call::get("/api/inventory/stock/D4")).await.refused(404, "not-found");
    assert_eq!(shop.admin(Call::get("/api/inventory/stock")).await.body["behind"], 2);
    assert_eq!(shop.admin(Call::get("/api/payments")).await.body["behind"], serde_json::Value::Null);
}
