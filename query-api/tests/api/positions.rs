use std::sync::Arc;

use souk_eventsourcing::parking::{Entity, Parked, Poison};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Position, Revision, StreamName};
use souk_http::Role;
use souk_query_api::Behind;
use tokio::sync::watch;

use crate::shop::Shop;

#[tokio::test]
async fn a_read_waits_until_the_read_models_are_far_enough() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 5).await;
    shop.project().await;
    shop.reached.send_replace(Position::START);
    let read =
        shop.get("/api/inventory/stock/A1").header("x-min-position", "1").header("prefer", "wait=30").send();
    let moves_on = async {
        tokio::task::yield_now().await;
        shop.reached.send_replace(Position(1));
    };
    let (answer, ()) = tokio::join!(read, moves_on);
    assert_eq!((answer.status, answer.json["position"].as_str()), (200, Some("1")));
}

#[tokio::test]
async fn a_read_that_waited_in_vain_says_how_far_the_read_models_are() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 5).await;
    shop.project().await;
    let read = shop.get("/api/inventory/stock/A1").header("x-min-position", "99").header("prefer", "wait=0");
    let answer = read.send().await;
    answer.refused(503, "read-model-behind");
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.json["detail"].as_str().unwrap().contains("position 1, 99"), "{:?}", answer.json);
}

#[tokio::test]
async fn a_wait_ends_at_once_when_the_shop_stops() {
    let shop = Shop::open().await;
    let read = shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    let stops = async {
        tokio::task::yield_now().await;
        shop.stop.send_replace(true);
    };
    let (answer, ()) = tokio::join!(read, stops);
    answer.refused(503, "read-model-behind");
    let already_stopped =
        shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    already_stopped.await.refused(503, "read-model-behind");
}

#[tokio::test]
async fn a_wait_ends_at_once_when_nobody_moves_the_read_models_on() {
    let mut shop = Shop::open().await;
    drop(std::mem::replace(&mut shop.reached, watch::channel(Position::START).0));
    let read = shop.get("/api/cart").header("x-min-position", "9").header("prefer", "wait=30").send();
    read.await.refused(503, "read-model-behind");
}

#[tokio::test]
async fn what_is_no_position_or_no_wait_is_refused() {
    let shop = Shop::open().await;
    for (name, value) in [("x-min-position", "x"), ("x-min-position", "-1"), ("prefer", "wait=31")] {
        shop.get("/api/products").header(name, value).send().await.refused(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn nothing_is_read_while_a_model_is_being_built_but_how_far_it_is() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 5).await;
    shop.project().await;
    shop.built.send_replace(false);
    shop.get("/api/inventory/stock/A1").send().await.refused(503, "read-model-behind");
    assert_eq!(shop.get("/api/admin/projections").token(Role::Admin, "ops").send().await.status, 200);
    shop.built.send_replace(true);
    assert_eq!(shop.get("/api/inventory/stock/A1").send().await.status, 200);
}

#[tokio::test]
async fn what_is_parked_says_so_and_everything_else_does_not() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 5).await;
    shop.counts("B2", 5).await;
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
    let mut behind = Behind::default();
    let parked = |poison: Poison, keys| Parked { poison, keys, since: noon() };
    behind.set("stock", &[parked(poison, vec!["A1".to_owned()]), parked(first_event, vec![])]);
    shop.behind.send_replace(Arc::new(behind));

    let answer = shop.get("/api/inventory/stock/A1").header("x-min-position", "1").send().await;
    assert_eq!((answer.status, answer.headers["x-behind-since"].to_str().unwrap()), (200, "2"));
    let refused = shop.get("/api/inventory/stock/A1").header("x-min-position", "2").send().await;
    refused.refused(503, "read-model-behind");
    let answer = shop.get("/api/inventory/stock/B2").header("x-min-position", "2").send().await;
    assert!(answer.status == 200 && !answer.headers.contains_key("x-behind-since"));
    shop.get("/api/inventory/stock/C3").send().await.refused(503, "read-model-behind");
    shop.get("/api/inventory/stock/D4").send().await.refused(404, "not-found");
    assert_eq!(shop.get("/api/inventory/stock").token(Role::Admin, "ops").send().await.json["behind"], 2);
    assert_eq!(
        shop.get("/api/payments").token(Role::Admin, "ops").send().await.json["behind"],
        serde_json::Value::Null
    );
}
